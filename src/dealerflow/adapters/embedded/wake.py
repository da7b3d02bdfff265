"""Wakes the workers of one machine as soon as messages are committed; looking every now and then is the fallback.

Each worker process makes a FIFO in the run directory. Whoever commits messages rings: the names of the queues are
written to every FIFO, without waiting, which takes some ten microseconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

_FIFO_SUFFIX = ".fifo"
_EVERY_QUEUE = b"*"
_MOST_BYTES = (
    4_096  # POSIX: PIPE_BUF is at least 512, 4,096 on Linux; up to it a write is whole or not at all
)
_TICK_NS = 50_000_000  # file systems on Linux: 1 to 10 ms


class Bell(Protocol):
    """Tells workers that something was committed for these queues; none named: for any. Never raises, never waits."""

    def ring(self, queues: Collection[str] = ()) -> None: ...


class Wake:
    """What the loops of one process wait on. `ring` from any thread wakes those that wait for one of the queues."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung: dict[str, int] = {}
        self._rung_for_all = 0

    def heard(self, queue: str) -> int:
        """How often it rang for this queue; taken before looking for work, so that no ring is missed by `wait`."""
        with self._changed:
            return self._heard(queue)

    def _heard(self, queue: str) -> int:
        return self._rung_for_all + self._rung.get(queue, 0)

    def wait(self, queue: str, heard: int, timeout_s: float) -> bool:
        """Wait until it rang again since `heard`; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._heard(queue) != heard, timeout_s)

    def ring(self, queues: Collection[str] = ()) -> None:
        with self._changed:
            for queue in queues:
                self._rung[queue] = self._rung.get(queue, 0) + 1
            if not queues:
                self._rung_for_all += 1
            self._changed.notify_all()


class FifoBell:
    """Rings every worker of this machine through the FIFOs in `run`. FIFOs that nobody reads any more are removed."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._open: dict[str, int] = {}
        self._seen: int | None = None

    def ring(self, queues: Collection[str] = ()) -> None:
        text = b"\n".join(queue.encode() for queue in queues) + b"\n"
        if not queues or len(text) > _MOST_BYTES:
            text = _EVERY_QUEUE + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._look_for_workers()
            for name in list(self._open):
                self._write(name, text)

    def _look_for_workers(self) -> None:
        # The directory's time changes when a FIFO comes or goes: one `stat` instead of a listing.
        changed = self._run.stat().st_mtime_ns
        if changed == self._seen:
            return
        # Its clock ticks every few ms: within the tick of the last change another may still come.
        self._seen = changed if time.time_ns() - changed > _TICK_NS else None
        present = {entry.name for entry in os.scandir(self._run) if entry.name.endswith(_FIFO_SUFFIX)}
        for name in self._open.keys() - present:
            self._close(name)
        for name in present - self._open.keys():
            self._connect(name)

    def _connect(self, name: str) -> None:
        path = self._run / name
        try:
            self._open[name] = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if (
                error.errno == errno.ENXIO
            ):  # a FIFO appears under its name only when it is read: its reader died
                path.unlink(missing_ok=True)

    def _write(self, name: str, text: bytes) -> None:
        try:
            os.write(self._open[name], text)
        except BlockingIOError:
            pass  # it is full, so its reader is about to wake anyway
        except OSError:
            self._close(name)
            (self._run / name).unlink(missing_ok=True)

    def _close(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.close(self._open.pop(name))

    def close(self) -> None:
        with self._lock:
            for name in list(self._open):
                self._close(name)


class FifoListener:
    """A thread that hears `FifoBell` of other processes and passes it on to this process's `Wake`."""

    def __init__(self, run: Path, name: str, wake: Wake) -> None:
        self._path = run / (name + _FIFO_SUFFIX)
        self._wake = wake
        self._stopping = False
        self._fifo = -1
        self._thread = threading.Thread(target=self._listen, name="wake", daemon=True)

    def start(self) -> None:
        """Make the FIFO and listen. Raises OSError where the run directory cannot hold one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unnamed = self._path.with_suffix(".new")
        unnamed.unlink(missing_ok=True)
        os.mkfifo(unnamed, 0o600)
        # Read and write: so it never ends when the last writer goes.
        self._fifo = os.open(unnamed, os.O_RDWR | os.O_NONBLOCK)
        unnamed.rename(self._path)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        os.write(self._fifo, _EVERY_QUEUE + b"\n")
        self._thread.join()
        self._path.unlink(missing_ok=True)
        os.close(self._fifo)

    def _listen(self) -> None:
        ready = select.poll()
        ready.register(self._fifo, select.POLLIN)
        rest = b""
        while not self._stopping:
            ready.poll()
            *lines, rest = (rest + os.read(self._fifo, 65_536)).split(b"\n")
            names = {line.decode() for line in lines}
            self._wake.ring(() if _EVERY_QUEUE.decode() in names else names - {""})


class Bells:
    """Several bells as one: this process's own `Wake` and those that reach others."""

    def __init__(self, *bells: Bell) -> None:
        self._bells = bells

    def ring(self, queues: Collection[str] = ()) -> None:
        for bell in self._bells:
            bell.ring(queues)

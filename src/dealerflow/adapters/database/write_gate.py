"""A queue at the door of SQLite's one write lock.

SQLite's own waiting sleeps longer and longer between tries (up to 100 ms), so that whoever writes again and again keeps a
quieter writer out, for seconds. Here threads of a process take turns on a lock, and processes on a locked file beside the
database; a process that another one waits for steps back for a moment after its commit.

The file's lock is freed by the system when its holder dies. What holds SQLite's lock without coming through here (another
program) is waited for by SQLite's busy timeout as before.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dealerflow.domain.errors import Outage

TRY_EVERY_S = 0.0005
STEP_BACK_S = 0.002  # long enough for a waiting process to try at least once


class WriteGate:
    """Lets one writer at a time through, over all threads and processes that use the same database file."""

    def __init__(self, database: Path, *, timeout_s: float) -> None:
        self._paths = (
            database.with_name(f"{database.name}.write"),
            database.with_name(f"{database.name}.wants"),
        )
        self._timeout_s = timeout_s
        self._threads = threading.Lock()
        self._files: tuple[int, int] | None = None
        self._process = 0

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Raises Outage when no turn comes within the time-out."""
        until = time.monotonic() + self._timeout_s
        if not self._threads.acquire(timeout=self._timeout_s):
            raise Outage("the database cannot be used now: another part of this process is writing")
        try:
            write, wants = self._opened()
            self._lock(write, wants, until)
            try:
                yield
            finally:
                fcntl.flock(write, fcntl.LOCK_UN)
                if _is_held_by_others(wants):
                    time.sleep(STEP_BACK_S)
        finally:
            self._threads.release()

    def _lock(self, write: int, wants: int, until: float) -> None:
        if _try(write, fcntl.LOCK_EX):
            return
        fcntl.flock(wants, fcntl.LOCK_SH)
        try:
            while not _try(write, fcntl.LOCK_EX):
                if time.monotonic() > until:
                    raise Outage("the database cannot be used now: another process is writing")
                time.sleep(TRY_EVERY_S)
        finally:
            fcntl.flock(wants, fcntl.LOCK_UN)

    def _opened(self) -> tuple[int, int]:
        # A lock belongs to the open file: after a fork the child needs its own.
        if self._files is None or self._process != os.getpid():
            write, wants = (
                os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for path in self._paths
            )
            self._files, self._process = (write, wants), os.getpid()
        return self._files

    def close(self) -> None:
        """Give the files back; the next passage opens them again."""
        with self._threads:
            for file in self._files or ():
                with suppress(OSError):
                    os.close(file)
            self._files = None


def _is_held_by_others(file: int) -> bool:
    if not _try(file, fcntl.LOCK_EX):
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _try(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

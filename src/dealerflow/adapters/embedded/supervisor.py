"""The small parent of `dealerflow serve`: starts its child processes, starts again what dies, stops them all.

    SIGTERM, SIGINT, SIGHUP ──> SIGTERM to every child ──> all have ended, or STOP_WITHIN_S is over: SIGKILL
    a second SIGINT (Ctrl-C) ──> SIGKILL

It does nothing else, so that it has little memory and nothing to die of. A child that dies at once again and
again is started later and later; one that says that it cannot work (EXIT_HOPELESS) ends the whole.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dealerflow.adapters.embedded.lifeline import tie_at_birth

log = logging.getLogger(__name__)

STOP_WITHIN_S = 9.0  # children end within it; what doesn't is killed, and the whole has ended within 10 s
LONG_LIFE_S = 10.0  # who lived so long did not die at once
FIRST_DELAY_S = 0.1
MAX_DELAY_S = 10.0
EXIT_HOPELESS = 78  # sysexits.h: EX_CONFIG. To start again would not help.
LIFELINE = "DEALERFLOW_LIFELINE"  # tells a child which descriptor to `lifeline.hold`

_STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def restart_delay(quick_deaths: int) -> float:
    """Seconds until a child is started again that has died at once so often in a row; one that lived long:
    at once.
    """
    return min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** (quick_deaths - 1)) if quick_deaths else 0.0


@dataclass
class Child:
    """A process to keep alive: what it is called and its command line."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    quick_deaths: int = field(default=0)


class Supervisor:
    """Keeps children alive. To be used in the main thread of a process without others."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        environment: Mapping[str, str],
        descriptors: Collection[int] = (),
    ) -> None:
        """`descriptors` (a listening socket) are inherited by every child."""
        self._children = list(children)
        self._environment = dict(environment)
        self._descriptors = tuple(descriptors)
        self._stop_by: float | None = None
        self._hopeless = False
        self._tie = tie_at_birth()

    def run(self) -> int:
        """Start the children, and return the exit status when all have ended: 0 after a signal, 1 if one was
        hopeless.
        """
        self._lifeline, mine = os.pipe()
        woken, wake = os.pipe()
        for end in (woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (*_STOP, signal.SIGCHLD):
            signal.signal(number, self._heard)
        try:
            while self._turn():
                select.select([woken], [], [], self._nap())
                _drain(woken)
        finally:
            os.close(mine)
            for number in _STOP:  # one more on the way out must not turn a clean end into a killed one
                signal.signal(number, signal.SIG_IGN)
        return 1 if self._hopeless else 0

    def _heard(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and self._stop_by is not None:
            self._stop_by = time.monotonic()
        elif number in _STOP:
            self.stop(signal.Signals(number).name)

    def stop(self, reason: str) -> None:
        """Ask every child to end. To ask once more changes nothing."""
        if self._stop_by is not None:
            return
        log.info("stopping: %s", reason)
        self._stop_by = time.monotonic() + STOP_WITHIN_S
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()

    def _turn(self) -> bool:
        """Look after every child; False when there is nothing left to do."""
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._buried(child, child.process.returncode)
        now = time.monotonic()
        if self._stop_by is None:
            for child in self._children:
                if child.process is None and now >= child.start_at and self._stop_by is None:
                    self._start(child, now)
            return True
        if now >= self._stop_by:
            for child in self._children:
                if child.process is not None:
                    log.warning("%s does not end; killed", child.name)
                    child.process.kill()
                    child.process.wait()
                    child.process = None
        return any(child.process is not None for child in self._children)

    def _start(self, child: Child, now: float) -> None:
        environment = {**self._environment, LIFELINE: str(self._lifeline)}
        child.process = subprocess.Popen(
            child.command,
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=(self._lifeline, *self._descriptors),
            preexec_fn=self._tie,  # noqa: PLW1509 - safe here, where there are no other threads
        )
        child.started_at = now
        log.info("%s started: pid %d", child.name, child.process.pid)
        if self._stop_by is not None:  # the signal came while it was being started: nobody has told it yet
            child.process.terminate()

    def _buried(self, child: Child, status: int) -> None:
        child.process = None
        if self._stop_by is not None:
            log.info("%s ended", child.name)
            return
        if status == EXIT_HOPELESS:
            self._hopeless = True
            self.stop(f"{child.name} cannot work")
            return
        now = time.monotonic()
        quick = now - child.started_at < LONG_LIFE_S
        # The first death is taken for an accident: it is started again at once.
        delay = restart_delay(child.quick_deaths) if quick else 0.0
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        child.start_at = now + delay
        log.error("%s died (%s); starting again in %.1f s", child.name, _cause(status), delay)

    def _nap(self) -> float | None:
        now = time.monotonic()
        if self._stop_by is not None:
            return max(0.0, self._stop_by - now)
        due = [child.start_at for child in self._children if child.process is None]
        return max(0.0, min(due) - now) if due else None


def _cause(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def _drain(pipe: int) -> None:
    try:
        while os.read(pipe, 4096):
            pass
    except BlockingIOError:
        pass

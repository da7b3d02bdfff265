"""A worker process's threads: one loop for each queue, and housekeeping. All thinking is in `steps`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase

from dealerflow.adapters.embedded.liveness import Liveness
from dealerflow.adapters.embedded.steps import Steps
from dealerflow.adapters.embedded.wake import Wake
from dealerflow.application.ports import Clock, MessageStore
from dealerflow.domain.errors import Outage

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5  # without being woken: for what becomes due, and for a ring that got lost
HOUSEKEEPING_EVERY_S = 1.0
STOP_WITHIN_S = 8.0  # then locks and listeners are closed; the supervisor kills after 9 s

Step = Callable[[], bool]


class Worker:
    """Works queues until it is stopped.

    `queues`: names or patterns ("deliveries-*"); None is every queue, also those that appear later.
    `without`: names or patterns of queues that are left to others. `also`: further loops by name, each a
    step that says whether to come back at once (the drainer of the spool).
    """

    def __init__(
        self,
        steps: Steps,
        *,
        store: MessageStore,
        liveness: Liveness,
        wake: Wake,
        clock: Clock,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
        also: Mapping[str, Step] | None = None,
    ) -> None:
        self._steps = steps
        self._store = store
        self._liveness = liveness
        self._wake = wake
        self._clock = clock
        self._queues = ("*",) if queues is None else queues
        self._without = without
        self._also = dict(also or {})
        self._loops: dict[str, threading.Thread] = {}
        self._stopping = threading.Event()
        self._is_known = False

    def step(self, queue: str) -> bool:
        """One step of one queue, in the caller's thread."""
        return self._steps.step(queue)

    def run(self) -> None:
        """Work until `stop` is called from another thread or a signal handler, then finish what is in hand."""
        self.start()
        while not self._stopping.wait(HOUSEKEEPING_EVERY_S):
            self.housekeep()
        self.join()

    def start(self) -> None:
        """Start the loops of `also` and of the queues that are known; housekeeping starts those that appear."""
        for name, step in self._also.items():
            self._start_loop(name, step)
        self.housekeep()

    def stop(self) -> None:
        """Claim nothing more. What is in hand is finished."""
        self._stopping.set()
        self._wake.ring()

    def join(self) -> bool:
        """Wait until everything in hand is finished; False if that takes longer than `STOP_WITHIN_S`."""
        until = time.monotonic() + STOP_WITHIN_S
        for loop in self._loops.values():
            loop.join(max(0.0, until - time.monotonic()))
        finished = not any(loop.is_alive() for loop in self._loops.values())
        if finished:
            self._quietly("what is owed is left to others", self._steps.settle)
        self._quietly("the lock could not be freed", self._liveness.release)
        return finished

    def housekeep(self) -> None:
        """What is due every second: show life, renew leases, release the messages of the dead, find new
        queues.
        """
        self._quietly("life could not be shown", self._show_life)
        self._quietly("leases could not be renewed", self._steps.renew)
        self._quietly("messages of dead workers could not be released", self._release_the_dead)
        if self._is_known:  # until then the others would take what it claims for a dead worker's
            self._quietly("queues could not be looked up", self._find_queues)

    def _show_life(self) -> None:
        self._liveness.hold()
        self._is_known = True

    def _release_the_dead(self) -> None:
        if self._store.release(self._liveness.alive(), now=self._clock.now()):
            self._wake.ring()

    def _find_queues(self) -> None:
        for queue in self._store.queues():
            if f"queue {queue}" not in self._loops and self._is_ours(queue):
                self._start_loop(f"queue {queue}", lambda queue=queue: self._steps.step(queue), queue)  # type: ignore[misc]

    def _is_ours(self, queue: str) -> bool:
        return _matches(queue, self._queues) and not _matches(queue, self._without)

    def _start_loop(self, name: str, step: Step, queue: str | None = None) -> None:
        loop = threading.Thread(target=self._loop, args=(queue or name, step), name=name, daemon=True)
        self._loops[name] = loop
        loop.start()

    def _loop(self, queue: str, step: Step) -> None:
        while not self._stopping.is_set():
            heard = self._wake.heard(queue)
            if not self._safely(queue, step) and not self._stopping.is_set():
                self._wake.wait(queue, heard, LOOK_EVERY_S)

    def _safely(self, name: str, step: Step) -> bool:
        try:
            return step()
        except Exception:
            log.exception("%s: an unexpected error; trying again", name)
            return False

    def _quietly(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Outage as outage:
            log.info("%s: %s", what, outage)
        except Exception:
            log.exception("%s", what)


def _matches(queue: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(queue, pattern) for pattern in patterns)

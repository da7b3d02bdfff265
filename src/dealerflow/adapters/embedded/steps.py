"""How a worker works its queues, one step at a time and without threads: claim → work → acknowledge.

    claim (committed, counted) ──> whole batch in one transaction ──> acknowledged with the work
                                        │ a message fails
                                        └─> again, a savepoint each ──> the failed ones are put back or buried

An outage counts no attempt: what is in hand is put back and the queue waits. What could not be written
meanwhile is owed, and settled first in the next step.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, cast

from dealerflow.application import retry
from dealerflow.application.handling import Bulk, Call, Handler, HandlerFor, Transactional
from dealerflow.application.ports import Clock, MessageStore
from dealerflow.application.queues import QueuePolicy, policy
from dealerflow.application.tracing import UNTRACED, Handling, Tracing
from dealerflow.application.work import Database, UnitOfWork
from dealerflow.domain.errors import LeaseLost, Outage
from dealerflow.domain.messages import Claimed

log = logging.getLogger(__name__)

LONGEST_ERROR = 2_000  # characters kept with a message
WORKER_DIED = "its worker died, or lost its lease, at every attempt"
_NOTHING = object()  # a call that was not needed has no answer to record

Given = tuple[Claimed, Handler]
Debt = Callable[[], None]


class Hand:
    """What one queue's loop has in its hands. Only its loop changes it; housekeeping reads `held`."""

    def __init__(self) -> None:
        self.held: dict[str, Claimed] = {}
        self.renewed_at = 0
        self.outages = 0
        self.waits_until = 0
        self._owed: deque[tuple[list[Claimed], Debt]] = deque()

    def owe(self, one: Claimed, debt: Debt) -> None:
        self.owe_for([one], debt)

    def owe_for(self, claimed: list[Claimed], debt: Debt) -> None:
        self._owed.append((claimed, debt))

    def settle(self) -> bool:
        """Pay what is owed, in order; whether there was anything. What cannot be paid stays owed."""
        anything = bool(self._owed)
        while self._owed:
            claimed, debt = self._owed[0]
            debt()
            self._owed.popleft()
            self.let_go(claimed)
        return anything

    def let_go(self, claimed: Iterable[Claimed]) -> None:
        for one in claimed:
            self.held.pop(one.envelope.id, None)

    def untouched(self) -> list[Claimed]:
        """What is held and neither done nor owed."""
        owed = {one.envelope.id for claimed, _ in self._owed for one in claimed}
        return [one for message, one in self.held.items() if message not in owed]


class Steps:
    """Works queues step by step. `owner` names this worker, and its start, in leases; `random` gives 0 ≤ x < 1.

    Different queues may be stepped from different threads; one queue only from one at a time.
    """

    def __init__(
        self,
        *,
        store: MessageStore,
        database: Database,
        handler_for: HandlerFor,
        owner: str,
        clock: Clock,
        random: Callable[[], float],
        policies: Callable[[str], QueuePolicy] = policy,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._store = store
        self._database = database
        self._handler_for = handler_for
        self._owner = owner
        self._clock = clock
        self._random = random
        self._policy = policies
        self._tracing = tracing
        self._hands: dict[str, Hand] = {}
        self._lock = threading.Lock()

    def step(self, queue: str) -> bool:
        """Work what may be claimed now; whether it is worth coming back at once. Never raises."""
        hand = self._hand(queue)
        if hand.waits_until > self._clock.now():
            return False
        try:
            return self._step(queue, hand)
        except Outage as outage:
            log.warning("queue %s waits: %s", queue, outage)
        except Exception:
            log.exception("queue %s could not be worked", queue)
        self._wait_for_better_times(queue, hand)
        return False

    def renew(self) -> None:
        """Renew the leases of what has been in hand for a third of their time. Raises Outage."""
        with self._lock:
            hands = list(self._hands.items())
        now = self._clock.now()
        for queue, hand in hands:
            held = list(hand.held.values())
            if held and now - hand.renewed_at >= self._policy(queue).lease_ms // 3:
                self._store.renew(held, now=now)
                hand.renewed_at = now

    def settle(self) -> None:
        """Pay everything that is owed, before the worker ends. Raises Outage."""
        for hand in self._hands.values():
            hand.settle()

    def _hand(self, queue: str) -> Hand:
        with self._lock:
            return self._hands.setdefault(queue, Hand())

    def _step(self, queue: str, hand: Hand) -> bool:
        settled = hand.settle()
        now = self._clock.now()
        claimed = self._store.claim(queue, self._policy(queue).batch, owner=self._owner, now=now)
        if claimed:
            hand.renewed_at = now
            hand.held = {one.envelope.id: one for one in claimed}
            self._work(queue, hand, claimed)
        hand.outages = 0
        return settled or bool(claimed)

    def _work(self, queue: str, hand: Hand, claimed: Sequence[Claimed]) -> None:
        given: list[Given] = []
        for one in claimed:
            if one.attempt > self._policy(queue).max_attempts:
                self._bury(hand, one, WORKER_DIED)
                continue
            try:
                given.append((one, self._handler_for(type(one.envelope.message))))
            except LookupError as error:
                self._failed(queue, hand, one, error)
        for is_call, some in groupby(given, key=lambda pair: isinstance(pair[1], Call)):
            if is_call:
                for one, handler in some:
                    self._call(queue, hand, one, cast("Call", handler))
            else:
                self._in_one_transaction(queue, hand, list(some))
        hand.settle()

    def _in_one_transaction(self, queue: str, hand: Hand, given: list[Given]) -> None:
        try:
            with self._tracing.transaction() as handling, self._database.begin() as work:
                _work_all(work, given, handling)
                work.acknowledge([one for one, _ in given])
        except Outage:
            raise
        except LeaseLost:
            self._undone(hand, given)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failed attempt
            if len(given) == 1:
                self._failed(queue, hand, given[0][0], error)
            else:
                self._each_with_a_savepoint(queue, hand, given)
        else:
            hand.let_go(one for one, _ in given)

    def _each_with_a_savepoint(self, queue: str, hand: Hand, given: list[Given]) -> None:
        try:
            with self._tracing.transaction() as handling, self._database.begin() as work:
                failures = _work_each(work, given, handling)
                done = [one for one, _ in given if one.envelope.id not in failures]
                work.acknowledge(done)
        except Outage:
            raise
        except LeaseLost:
            self._undone(hand, given)
        except Exception:  # noqa: BLE001 - it showed only at the end of the transaction: then each has its own
            for pair in given:
                self._in_one_transaction(queue, hand, [pair])
        else:
            hand.let_go(done)
            for one, _ in given:
                if one.envelope.id in failures:
                    self._failed(queue, hand, one, failures[one.envelope.id])

    def _call(self, queue: str, hand: Hand, one: Claimed, handler: Call) -> None:
        try:
            with self._tracing.transaction() as handling, handling([one]):
                with self._database.read() as work:
                    request = handler.prepare(work, one.envelope)
                answer = _NOTHING if request is None else handler.perform(request, one.envelope)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failed attempt
            self._failed(queue, hand, one, error)
        else:
            # Owed, not just done: the answer is kept through an outage, because the call must not be made twice.
            hand.owe(one, lambda: self._record(queue, one, handler, answer))
            hand.settle()

    def _record(self, queue: str, one: Claimed, handler: Call, answer: Any) -> None:
        try:
            with self._tracing.transaction() as handling, self._database.begin() as work:
                if answer is not _NOTHING:
                    with handling([one], "record"):
                        handler.record(work, one.envelope, answer)
                work.acknowledge([one])
        except Outage:
            raise
        except LeaseLost:
            log.warning("message %s was given to another worker while it was worked here", one.envelope.id)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failed attempt
            self._give_back(queue, one, error, self._clock.now())

    def _failed(self, queue: str, hand: Hand, one: Claimed, error: Exception) -> None:
        now = self._clock.now()
        hand.owe(one, lambda: self._give_back(queue, one, error, now))

    def _give_back(self, queue: str, one: Claimed, error: Exception, now: int) -> None:
        action, delay = retry.plan(one.attempt, self._policy(queue), False, self._random)
        words = _words(error)
        log.warning(
            "message %s of queue %s failed (attempt %d, %s): %s",
            one.envelope.id, queue, one.attempt, action, words, exc_info=error, extra={"traceparent": one.envelope.trace},
        )  # fmt: skip
        if action == "bury":
            self._store.bury([one], now=now, error=words)
        else:
            self._store.put_back([one], at=now + delay, error=words, failed=True)

    def _bury(self, hand: Hand, one: Claimed, error: str) -> None:
        now = self._clock.now()
        hand.owe(one, lambda: self._store.bury([one], now=now, error=error))

    def _undone(self, hand: Hand, given: Sequence[Given]) -> None:
        # One of these was given to another worker, so nothing of the batch was done. That one is left alone.
        log.warning("a lease of %d messages was lost; what they did is undone", len(given))
        self._owe_untried(
            hand, [one for one, _ in given], self._clock.now(), "undone with another's lost lease"
        )

    def _owe_untried(self, hand: Hand, claimed: list[Claimed], at: int, why: str) -> None:
        if claimed:
            hand.owe_for(claimed, lambda: self._store.put_back(claimed, at=at, error=why, failed=False))

    def _wait_for_better_times(self, queue: str, hand: Hand) -> None:
        hand.outages += 1
        now = self._clock.now()
        delay = retry.plan(hand.outages, self._policy(queue), True, self._random).delay_ms
        hand.waits_until = now + delay
        self._owe_untried(hand, hand.untouched(), hand.waits_until, "put back in an outage")
        try:
            self._store.close(queue, until=hand.waits_until)
            hand.settle()
        except Outage:
            log.info("queue %s: what is in hand is put back when the database is there again", queue)
        except Exception:
            log.exception("queue %s: what is in hand could not be put back", queue)


def _work_all(work: UnitOfWork, given: Sequence[Given], handling: Handling) -> None:
    for handler, some in groupby(given, key=lambda pair: pair[1]):
        claimed = [one for one, _ in some]
        if isinstance(handler, Bulk) and len(claimed) > 1:
            with handling(claimed):
                handler.many(work, [one.envelope for one in claimed])
        else:
            for one in claimed:
                with handling([one]):
                    cast("Transactional", handler)(work, one.envelope)


def _work_each(work: UnitOfWork, given: Sequence[Given], handling: Handling) -> dict[str, Exception]:
    failures: dict[str, Exception] = {}
    for pair in given:
        try:
            with work.savepoint():
                _work_all(work, [pair], handling)
        except (Outage, LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failed attempt
            failures[pair[0].envelope.id] = error
    return failures


def _words(error: Exception) -> str:
    # A NUL cannot be stored by PostgreSQL.
    return f"{type(error).__name__}: {error}".replace("\0", "�")[:LONGEST_ERROR]

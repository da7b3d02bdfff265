"""Works what SQS delivers to a function: each message in one transaction with its note, which is that its row goes.

delivered ──> its row is there ──> the handler's work, and the row goes ──> SQS deletes it
              │ gone: it was done, nothing happens
              └ dead: an operator has it
the handler fails ──> counted in the row, offered again later ──> too often: the row is dead, a copy in the dead-letter queue
an outage         ──> counted by nobody, offered again later and later (SQS gives up after 1,000 deliveries, some days)
its queue is paused ──> it goes back to the outbox, which forwards it again once the queue is resumed
    (where the pause does not switch off the reading of the queue: see `Names.is_switched`)
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Protocol, cast

import msgspec

from dealerflow.adapters.aws.logs import about
from dealerflow.adapters.database import outbox as rows
from dealerflow.adapters.database.outbox import Outbox
from dealerflow.adapters.database.unit_of_work import SqlDatabase
from dealerflow.application import retry
from dealerflow.application.handling import Bulk, Call, Handler, HandlerFor, Handover, Transactional
from dealerflow.application.message_events import from_cloud_event
from dealerflow.application.ports import Clock
from dealerflow.application.queues import QueuePolicy, policy
from dealerflow.domain.errors import Malformed, Outage
from dealerflow.domain.messages import Envelope, PlaceOrder

log = logging.getLogger(__name__)

LONGEST_ERROR = 2_000  # characters kept with a message
LONGEST_OUTAGE_DELAY_S = 600  # with 1,000 deliveries almost five days until SQS itself gives up


IsTimeUp = Callable[[], bool]
"""Whether what is begun now might be cut off, because the function may not run for much longer."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message as SQS delivers it. `times`: how often it was delivered, this time included."""

    id: str
    receipt: str
    body: str
    times: int


class _Paused(Outage):
    """An operator paused the queue of this message."""


class InFlight(Protocol):
    """The queue as its consumer sees it. Raises Outage."""

    def later(self, delivery: Delivery, seconds: int) -> None:
        """Offer it again only after so long."""

    def bury(self, body: str, error: str) -> None:
        """Put a copy into the dead-letter queue, where its alarm sees it."""


class Receiver:
    """Works deliveries of one queue. `lease_ms`: longer than a function may run, so that a call is made by one at a time.

    `looks`: whether the pause of a queue has to be looked up here, because it does not switch off the function's reading.
    """

    def __init__(
        self,
        *,
        database: SqlDatabase,
        outbox: Outbox,
        handler_for: HandlerFor,
        queue: InFlight,
        clock: Clock,
        random: Callable[[], float],
        lease_ms: int = 120_000,
        looks: Callable[[str], bool] = lambda _queue: False,
        policies: Callable[[str], QueuePolicy] = policy,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._handler_for = handler_for
        self._queue = queue
        self._clock = clock
        self._random = random
        self._lease_ms = lease_ms
        self._looks = looks
        self._policy = policies
        self._worker = f"function-{uuid.uuid4().hex}"

    def work(self, deliveries: Sequence[Delivery], is_time_up: IsTimeUp = lambda: False) -> list[str]:
        """Work them; the ids of those that SQS has to offer again. Never raises.

        Once time is up nothing more is begun, for a call that is cut off in the middle may have been made. But the first is
        begun in any case.
        """
        again: list[str] = []
        given: list[tuple[Delivery, Envelope]] = []
        for delivery in deliveries:
            try:
                given.append((delivery, from_cloud_event(delivery.body)))
            except Malformed as error:
                again += [] if self._is_put_aside(delivery, error) else [delivery.id]
        singly: list[tuple[Handler | None, Delivery, Envelope]] = []
        for handler, some in groupby(given, key=lambda pair: self._handler(pair[1])):
            batch = list(some)
            if not self._are_done_at_once(handler, [envelope for _, envelope in batch]):
                singly += [(handler, delivery, envelope) for delivery, envelope in batch]
        for place, (handler, delivery, envelope) in enumerate(singly):
            too_late = place > 0 and is_time_up()
            done = self._later(delivery, 0) if too_late else self._is_done(handler, delivery, envelope)
            again += [] if done else [delivery.id]
        return again

    def _is_put_aside(self, delivery: Delivery, error: Malformed) -> bool:
        log.error("what cannot be read is put aside: %s", error)
        try:
            self._queue.bury(delivery.body, str(error))
        except Exception as trouble:  # noqa: BLE001 - the others of the batch are worked whatever this one does
            log.warning("it cannot be put aside: %s", trouble)
            return False
        return True

    def _handler(self, envelope: Envelope) -> Handler | None:
        try:
            return self._handler_for(type(envelope.message))
        except LookupError:
            return None

    def _are_done_at_once(self, handler: Handler | None, envelopes: Sequence[Envelope]) -> bool:
        if not isinstance(handler, Bulk) or len(envelopes) == 1:
            return False
        try:
            self._transaction(handler, envelopes)
        except Exception as error:  # noqa: BLE001 - then each by itself: a poisonous one harms nobody else
            log.info("a batch of %d is worked one by one: %s", len(envelopes), error)
            return False
        return True

    def _is_done(self, handler: Handler | None, delivery: Delivery, envelope: Envelope) -> bool:
        with about(message=envelope.id, order=envelope.order, queue=envelope.queue):
            try:
                self._one(handler, envelope)
            except _Paused as paused:
                log.info("%s", paused)
                return self._is_shelved(delivery, envelope)
            except Outage as outage:
                log.warning("%s waits: %s", type(envelope.message).__name__, outage)
                return self._later(delivery, min(LONGEST_OUTAGE_DELAY_S, delivery.times))
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failed attempt
                return self._failed(delivery, envelope, error)
            return True

    def _one(self, handler: Handler | None, envelope: Envelope) -> None:
        if handler is None:
            raise LookupError(f"nothing works {type(envelope.message).__name__} messages here")
        if isinstance(handler, Call | Handover):
            self._call(handler, envelope)
        else:
            self._transaction(handler, [envelope])

    def _transaction(self, handler: Transactional, envelopes: Sequence[Envelope]) -> None:
        with self._database.begin() as work:
            open_ = list(self._open(work.connection, envelopes))
            if isinstance(handler, Bulk) and len(open_) > 1:
                handler.many(work, open_)
            else:
                for envelope in open_:
                    handler(work, envelope)
            rows.done(work.connection, [envelope.id for envelope in open_])

    def _open(self, connection: Any, envelopes: Sequence[Envelope]) -> Iterable[Envelope]:
        """Those that still ask for their work."""
        looked_up = {envelope.queue for envelope in envelopes if self._looks(envelope.queue)}
        if looked_up and (paused := rows.paused_of(connection, looked_up)):
            raise _Paused(f"paused: {', '.join(sorted(paused))}")
        stands = rows.standing(connection, [envelope.id for envelope in envelopes])
        for envelope in envelopes:
            comes_from_intake = isinstance(envelope.message, PlaceOrder)
            if stands[envelope.id] == "open" or (
                stands[envelope.id] == "gone"
                and comes_from_intake
                and not rows.was_discarded(connection, envelope.id)
            ):
                yield envelope

    def _call(self, handler: Call | Handover, envelope: Envelope) -> None:
        now = self._clock.now()
        if self._outbox.claim(envelope.id, self._worker, now=now, for_ms=self._lease_ms) != "open":
            return
        try:
            with self._database.read() as work:
                request = handler.prepare(work, envelope)
            answer = None if request is None else handler.perform(request, envelope)
        except Outage:
            self._outbox.forwarded([envelope.id], by=self._worker, now=now)
            raise
        if isinstance(handler, Handover) and request is not None:
            self._outbox.forwarded([envelope.id], by=self._worker, now=now, for_ms=handler.again_after_ms)
            return
        with self._database.begin() as work:
            if request is not None:
                cast("Call", handler).record(work, envelope, answer)
            rows.done(work.connection, [envelope.id])

    def _failed(self, delivery: Delivery, envelope: Envelope, error: Exception) -> bool:
        """Count the failure; whether SQS is done with the message, because it is dead (or was done elsewhere)."""
        words = f"{type(error).__name__}: {error}".replace("\0", "�")[:LONGEST_ERROR]
        try:
            attempts = self._outbox.failed(envelope, now=self._clock.now(), error=words)
            if not attempts:
                log.info("failed, but it is done, or dead: %s", words)
                return True
            action, delay_ms = retry.plan(attempts, self._policy(envelope.queue), False, self._random)
            log.warning("failed (%s): %s", action, words, exc_info=error)
            if action != "bury":
                return self._later(delivery, -(-delay_ms // 1000))
            self._queue.bury(delivery.body, words)
            self._outbox.bury(envelope.id, now=self._clock.now(), error=words)
        except Exception as trouble:  # noqa: BLE001 - the others of the batch are worked whatever this one does
            log.warning("a failure could not be noted: %s", trouble)
            return self._later(delivery, min(LONGEST_OUTAGE_DELAY_S, delivery.times))
        return True

    def _is_shelved(self, delivery: Delivery, envelope: Envelope) -> bool:
        # Offered again and again it would be dead in some days, and a pause may last longer.
        try:
            self._outbox.shelve(envelope, now=self._clock.now())
        except Exception as trouble:  # noqa: BLE001 - as above
            log.warning("it cannot be put back into the database: %s", trouble)
            return self._later(delivery, min(LONGEST_OUTAGE_DELAY_S, delivery.times))
        return True

    def _later(self, delivery: Delivery, seconds: int) -> bool:
        try:
            self._queue.later(delivery, seconds)
        except Exception as trouble:  # noqa: BLE001 - SQS may not hold it for us any more
            log.info("it is offered again when its visibility time is over: %s", trouble)
        return False

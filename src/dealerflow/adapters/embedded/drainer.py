"""Takes accepted orders from the spool into the main database, together with the position that has been reached.

    whole batch ──fails──> its halves ──fail──> … ──> one order: goes to the queue `orders`, where attempts count

So an order that cannot be processed never holds up those behind it, and none is processed twice: order and position
commit together, and the position only moves on from where it was read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, cast

import sqlalchemy as sa

from dealerflow.adapters.database.spool_positions import advance, drained_to
from dealerflow.adapters.embedded.liveness import FileLock
from dealerflow.application import retry
from dealerflow.application.handling import Bulk, HandlerFor, Transactional
from dealerflow.application.intake import envelope_of
from dealerflow.application.ports import Clock, MessageStore, Spooled, SpoolReader
from dealerflow.application.queues import ORDERS, QueuePolicy, policy
from dealerflow.application.tracing import UNTRACED, Handling, Tracing
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import LeaseLost, Outage
from dealerflow.domain.messages import Claimed, PlaceOrder

log = logging.getLogger(__name__)


class SqlWork(UnitOfWork, Protocol):
    """A unit of work whose transaction also takes the position."""

    @property
    def connection(self) -> sa.Connection: ...


class SqlDatabase(Protocol):
    """Gives such units of work."""

    def begin(self) -> AbstractContextManager[SqlWork]: ...

    def read(self) -> AbstractContextManager[SqlWork]: ...


class Drainer:
    """Drains one spool, step by step. `lock` sees to it that only one process does.

    `directly`: the orders are worked here, with their handler (SQLite, where another way through the store would
    only cost). Otherwise they are moved to the queue `orders`, where many workers share them (PostgreSQL).
    """

    def __init__(
        self,
        reader: SpoolReader,
        *,
        database: SqlDatabase,
        store: MessageStore,
        handler_for: HandlerFor,
        clock: Clock,
        random: Callable[[], float],
        lock: FileLock,
        directly: bool,
        policies: Callable[[str], QueuePolicy] = policy,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._reader = reader
        self._database = database
        self._store = store
        self._handler_for = handler_for
        self._clock = clock
        self._random = random
        self._lock = lock
        self._directly = directly
        self._policy = policies(ORDERS)
        self._tracing = tracing
        self._outages = 0
        self._waits_until = 0

    def step(self) -> bool:
        """Drain a batch; whether it is worth coming back at once. Never raises."""
        if self._waits_until > self._clock.now() or not self._lock.acquire():
            return False
        try:
            drained = self._step()
            self._outages = 0
            return drained
        except LeaseLost as lost:
            log.warning("%s", lost)
            return True
        except Outage as outage:
            log.warning("the spool waits: %s", outage)
        except Exception:
            log.exception("the spool could not be drained")
        self._outages += 1
        delay = retry.plan(self._outages, self._policy, True, self._random).delay_ms
        self._waits_until = self._clock.now() + delay
        return False

    def _step(self) -> bool:
        spool = self._reader.spool
        if not spool or not self._store.is_open(ORDERS, now=self._clock.now()):
            return False
        with self._database.read() as work:
            position = drained_to(work.connection, spool)
        batch = self._reader.read(position, self._policy.batch)
        if batch:
            self._drain(spool, position, batch)
        return bool(batch)

    def _drain(self, spool: str, position: int, batch: Sequence[Spooled]) -> int:
        """Drain the whole batch, however; the position reached."""
        last = batch[-1].position
        try:
            with self._tracing.transaction() as handling, self._database.begin() as work:
                advance(work.connection, spool, old=position, new=last)
                self._work(work, batch, handling)
            return last
        except (Outage, LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the handler raises is about one of the batch
            if len(batch) == 1:
                return self._set_aside(spool, position, batch[0], error)
        middle = len(batch) // 2
        position = self._drain(spool, position, batch[:middle])
        return self._drain(spool, position, batch[middle:])

    def _work(self, work: SqlWork, batch: Sequence[Spooled], handling: Handling) -> None:
        if not self._directly:
            for spooled in batch:
                _send(work, spooled)
            return
        handler = self._handler_for(PlaceOrder)
        taken = [_taken(spooled) for spooled in batch]
        if isinstance(handler, Bulk) and len(taken) > 1:
            with handling(taken):
                handler.many(work, [one.envelope for one in taken])
        else:
            for one in taken:
                with handling([one]):
                    cast("Transactional", handler)(work, one.envelope)

    def _set_aside(self, spool: str, position: int, spooled: Spooled, error: Exception) -> int:
        log.warning("order at position %d goes to the queue: %s", spooled.position, error, exc_info=error)
        with self._database.begin() as work:
            advance(work.connection, spool, old=position, new=spooled.position)
            _send(work, spooled)
        return spooled.position


def _send(work: SqlWork, spooled: Spooled) -> None:
    message = spooled.message
    if isinstance(message, PlaceOrder):
        work.send(ORDERS, message, group=message.new.dealership, order=message.new.id)
    else:
        work.send(ORDERS, message)  # what could not be read; the store buries it


def _taken(spooled: Spooled) -> Claimed:
    if not isinstance(spooled.message, PlaceOrder):
        raise TypeError("this is no order")
    return Claimed(envelope=envelope_of(spooled.message), attempt=1, lease="")  # the spool has one reader

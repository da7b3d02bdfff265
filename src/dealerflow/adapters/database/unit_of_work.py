"""The unit of work on SQL: one transaction on SQLite or PostgreSQL, with everything a handler may touch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from dealerflow.adapters.database import message_rows
from dealerflow.adapters.database.engine import Mode, transaction
from dealerflow.adapters.database.idempotency import SqlKeptAnswers
from dealerflow.adapters.database.repositories.billing import SqlBilling
from dealerflow.adapters.database.repositories.executions import SqlExecutions
from dealerflow.adapters.database.repositories.factory import SqlFactory
from dealerflow.adapters.database.repositories.happenings import SqlHappenings
from dealerflow.adapters.database.repositories.orders import SqlOrders
from dealerflow.adapters.database.repositories.people import SqlPeople
from dealerflow.adapters.database.repositories.reference import SqlReference
from dealerflow.adapters.database.repositories.shipping import SqlShipping
from dealerflow.adapters.database.session import Session
from dealerflow.application.ports import Clock, Ids
from dealerflow.application.tracing import UNTRACED, Carry
from dealerflow.application.work import Pipelines
from dealerflow.domain.messages import AnyMessage, Claimed, Envelope

Put = Callable[[sa.Connection, Sequence[tuple[Envelope, int]], int], Sequence[Envelope]]
"""Stores what was sent, (envelope, delay in ms), in this transaction; the last argument is the time. Returns those that
somebody is to be told of right after the commit.
"""


@dataclass(frozen=True, kw_only=True)
class Sends:
    """What becomes of messages that are sent. By default they are put into the message store, for workers to claim.

    `put` stores them with the work. After a commit `tell` gets those that `put` returned. `trace` gives what a message
    about an order carries on. `state_machines`: orders are followed by state machines outside.
    """

    put: Put = message_rows.send_all
    tell: Callable[[Sequence[Envelope]], None] = lambda _sent: None
    trace: Carry = UNTRACED.sending
    state_machines: bool = False


def to_workers(ring: Callable[[Collection[str]], None], trace: Carry = UNTRACED.sending) -> Sends:
    """Messages are put into the message store, and `ring` wakes the workers of their queues."""
    return Sends(tell=lambda sent: ring({envelope.queue for envelope in sent}), trace=trace)


class SqlUnitOfWork:
    """Implements `application.work.UnitOfWork`. `connection` is for what belongs in the same transaction.

    After `flush`, `prompt` is what was sent and is to be told of after the commit.
    """

    def __init__(
        self,
        connection: sa.Connection,
        clock: Clock,
        ids: Ids,
        pipelines: Pipelines,
        sends: Sends = Sends(),
    ) -> None:
        self.connection = connection
        self.clock = clock
        self.ids = ids
        self.pipelines = pipelines
        self._sent: list[tuple[Envelope, int]] = []
        self.prompt: list[Envelope] = []
        self._put = sends.put
        self._trace = sends.trace
        self.session = Session(connection)
        self.orders = SqlOrders(self.session)
        self.factory = SqlFactory(self.session)
        self.billing = SqlBilling(self.session)
        self.shipping = SqlShipping(self.session)
        self.people = SqlPeople(self.session)
        self.happenings = SqlHappenings(self.session, self)
        self.reference = SqlReference(self.session)
        self.calls = SqlKeptAnswers(self.session)
        self.executions = SqlExecutions(self.session, self if sends.state_machines else None)

    def send(
        self, queue: str, message: AnyMessage, *, group: str = "", order: str | None = None, delay_ms: int = 0
    ) -> None:
        envelope = Envelope(
            id=self.ids.new("msg"),
            queue=queue,
            message=message,
            group=group,
            order=order,
            sent_at=self.clock.now(),
            trace=self._trace(order),
        )
        self._sent.append((envelope, delay_ms))

    def acknowledge(self, claimed: Sequence[Claimed]) -> None:
        message_rows.acknowledge(self.connection, claimed)

    def savepoint(self) -> AbstractContextManager[None]:
        return self._savepoint()

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        sent = len(self._sent)
        try:
            with self.session.savepoint():
                yield
        except BaseException:
            del self._sent[sent:]
            raise

    def flush(self) -> None:
        """Write everything that was gathered: rows first, then messages."""
        self.session.flush()
        self.prompt += self._put(self.connection, self._sent, self.clock.now())
        self._sent.clear()


class SqlDatabase:
    """Implements `application.work.Database` on an engine."""

    def __init__(
        self,
        engine: sa.Engine,
        clock: Clock,
        ids: Ids,
        pipelines: Pipelines,
        sends: Sends = Sends(),
    ) -> None:
        self.engine = engine
        self._clock = clock
        self._ids = ids
        self._pipelines = pipelines
        self._sends = sends

    def begin(self) -> AbstractContextManager[SqlUnitOfWork]:
        return self._unit("write")

    def read(self) -> AbstractContextManager[SqlUnitOfWork]:
        return self._unit("read")

    @contextmanager
    def _unit(self, mode: Mode) -> Iterator[SqlUnitOfWork]:
        with transaction(self.engine, mode) as connection:
            work = SqlUnitOfWork(connection, self._clock, self._ids, self._pipelines, self._sends)
            yield work
            if mode == "write":
                work.flush()
        if work.prompt:
            self._sends.tell(work.prompt)

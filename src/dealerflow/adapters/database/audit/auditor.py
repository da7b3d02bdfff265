"""The verdict: the spool is read before the database, the database in one consistent view."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.audit.due import Due, everything_due, key_of
from dealerflow.adapters.database.audit.following import to_be_judged
from dealerflow.adapters.database.audit.laws import LAWS
from dealerflow.adapters.database.unit_of_work import SqlDatabase, SqlUnitOfWork
from dealerflow.application import queues
from dealerflow.application.audit import AuditReport, Finding
from dealerflow.application.following import (
    FOLLOWED,
    ExecutionStatuses,
    Followed,
    Verdict,
    Wrong,
    judge,
    judge_ended,
)
from dealerflow.application.ports import SpoolReader
from dealerflow.application.work import Pipelines
from dealerflow.domain.errors import Outage
from dealerflow.domain.messages import AnyMessage, PlaceOrder, StartExecution

log = logging.getLogger(__name__)

_SPOOL_BATCH = 1_000
_MOST_ASKED = 500  # executions in one audit, a call each; the next one asks on
_ACCEPTED = "every accepted order has its row"
_DEAD = "nothing is in the dead letters"

Repair = Callable[[SqlUnitOfWork], None]
_decoder = msgspec.json.Decoder(AnyMessage)


class SqlAuditor:
    """Implements `application.audit.Auditor`. `spool` None: intake has no spool here. `machines` None: no state machines
    outside follow the orders.
    """

    def __init__(
        self,
        database: SqlDatabase,
        pipelines: Pipelines,
        spool: SpoolReader | None = None,
        machines: ExecutionStatuses | None = None,
    ) -> None:
        self._database = database
        self._pipelines = pipelines
        self._spool = spool
        self._machines = machines

    def audit(self, *, repair: bool = False) -> AuditReport:
        accepted = dict(self._spooled())
        unsure: list[Followed] = []
        with self._database.read() as work:
            connection = work.connection
            audit = _Audit(connection)
            audit.accepted_orders(accepted, self._spool.spool if self._spool else "")
            audit.due_work()
            for law in LAWS:
                audit.faults.extend((finding, None) for finding in law(connection, self._pipelines))
            now = work.clock.now()
            if self._machines is not None:
                unsure = audit.followed(self._pipelines, now)
            audit.dead_letters()
        # Only now: a call to the outside must not hold a view of the whole database open.
        for one in unsure[:_MOST_ASKED]:
            audit.follows(one, self._asked(one, now))
        audit.pending[FOLLOWED] += len(unsure[_MOST_ASKED:])
        faults = [self._repaired(*fault) if repair else fault[0] for fault in audit.faults]
        return AuditReport(faults=tuple(faults), pending=dict(+audit.pending), checked=audit.checked)

    def _spooled(self) -> Iterator[tuple[str, int]]:
        """(order id, position) of what is still in the spool."""
        after = 0
        while self._spool is not None and (batch := self._spool.read(after, _SPOOL_BATCH)):
            for spooled in batch:
                if isinstance(spooled.message, PlaceOrder):
                    yield spooled.message.new.id, spooled.position
            after = batch[-1].position

    def _asked(self, one: Followed, now: int) -> Verdict:
        if self._machines is None or one.execution is None:
            return "sound"
        try:
            return judge_ended(one, self._machines.ended(one.execution.arn), now)
        except Outage as outage:  # then nobody can have told it the decision either
            log.warning("whether the execution of %s runs cannot be asked: %s", one.order, outage)
            return "pending"

    def _repaired(self, finding: Finding, repair: Repair | None) -> Finding:
        if repair is None:
            return finding
        with self._database.begin() as work:
            repair(work)
        return replace(finding, repaired=True)


class _Audit:
    """One audit under way, in one consistent view."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.faults: list[tuple[Finding, Repair | None]] = []
        self.pending: Counter[str] = Counter()
        self._dead_known: set[str] = set()
        self._queued = {key: row for row in self._messages() if (key := _key(row))}
        self._discarded = {key for row in self._discarded_mails() if (key := _key(row))}
        counted = (t.orders, t.payments, t.documents, t.delivery_notes, t.mails, t.events)
        self.checked = {table.name: self._count(table) for table in counted}

    def _count(self, table: sa.Table) -> int:
        return int(self._connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    def _messages(self) -> list[sa.Row[Any]]:
        m = t.messages.c
        return list(
            self._connection.execute(sa.select(m.id, m.queue, m.body, m.order_id, m.died_at, m.error))
        )

    def _discarded_mails(self) -> list[sa.Row[Any]]:
        d = t.discarded.c
        return list(self._connection.execute(sa.select(d.body).where(d.queue == queues.NOTIFICATIONS)))

    def accepted_orders(self, accepted: dict[str, int], spool: str) -> None:
        """Each order in the spool is in the database, or on its way there."""
        position = select_position(self._connection, spool)
        self.checked["accepted_orders_in_spool"] = len(accepted)
        waiting = [id_ for id_, at in accepted.items() if at > position]
        if waiting:
            self.pending[_ACCEPTED] += len(waiting)
        for order_id in (id_ for id_, at in accepted.items() if at <= position):
            if not self._is_stored(order_id) and not self._on_its_way(
                ("PlaceOrder", order_id), _ACCEPTED, order_id
            ):
                detail = "it was accepted, and is neither stored nor queued"
                self.faults.append((Finding(check=_ACCEPTED, subject=order_id, detail=detail), None))

    def _is_stored(self, order_id: str) -> bool:
        stored = sa.select(sa.exists().where(t.orders.c.id == order_id))
        discarded = sa.select(sa.exists().where(t.discarded.c.order_id == order_id))
        return any(self._connection.execute(query).scalar_one() for query in (stored, discarded))

    def _on_its_way(self, key: tuple[str, ...], check: str, subject: str) -> bool:
        """Whether the message is queued (pending) or dead (a fault, noted)."""
        row = self._queued.get(key)
        if row is None:
            return False
        if row.died_at is None:
            self.pending[check] += 1
        else:
            self._dead_known.add(row.id)
            detail = f"its message {row.id} is in the dead letters of {row.queue}: {row.error}; redrive it, or discard it"
            self.faults.append((Finding(check=check, subject=subject, detail=detail), None))
        return True

    def due_work(self) -> None:
        """What is not done is queued."""
        for due in everything_due(self._connection):
            key = key_of(due.message)
            # An operator who discards a mail says that it need not be sent; nobody may say so of an invoice.
            if not self._on_its_way(key, due.check, due.subject) and key not in self._discarded:
                finding = Finding(
                    check=due.check,
                    subject=due.subject,
                    detail="it is neither done nor queued",
                    repairable=True,
                )
                self.faults.append((finding, _resend(due) if due.repairable else _give_back(due)))

    def followed(self, pipelines: Pipelines, now: int) -> list[Followed]:
        """Each open order has a state machine outside; those of which only the service knows."""
        unsure = []
        for one in to_be_judged(self._connection, pipelines, now):
            if self._on_its_way(key_of(StartExecution(order=one.order, step=one.step)), FOLLOWED, one.order):
                continue
            verdict = judge(one, now)
            if verdict == "ask":
                unsure.append(one)
            else:
                self.follows(one, verdict)
        return unsure

    def follows(self, one: Followed, verdict: Verdict) -> None:
        """Note the verdict."""
        if verdict == "pending":
            self.pending[FOLLOWED] += 1
        elif isinstance(verdict, Wrong):
            finding = Finding(check=FOLLOWED, subject=one.order, detail=verdict.detail, repairable=True)
            self.faults.append((finding, _start_anew(one)))

    def dead_letters(self) -> None:
        """Whatever else died."""
        m = t.messages.c
        dead = sa.select(m.id, m.queue, m.error).where(m.died_at.is_not(None)).order_by(m.queue, m.id)
        for row in self._connection.execute(dead):
            if row.id not in self._dead_known:
                detail = f"it died on {row.queue}: {row.error}; redrive it, or discard it"
                self.faults.append((Finding(check=_DEAD, subject=row.id, detail=detail), None))


def select_position(connection: sa.Connection, spool: str) -> int:
    """How far the spool was drained into this database."""
    position = sa.select(t.spools.c.position).where(t.spools.c.id == spool)
    return int(connection.execute(position).scalar_one_or_none() or 0)


def _key(row: sa.Row[Any]) -> tuple[str, ...] | None:
    try:
        return key_of(_decoder.decode(row.body))
    except (msgspec.MsgspecError, RecursionError):
        return None


def _resend(due: Due) -> Repair:
    def repair(work: SqlUnitOfWork) -> None:
        work.send(due.queue, due.message, group=due.group, order=due.order)

    return repair


def _start_anew(one: Followed) -> Repair:
    """Another execution, which begins where the order stands; if it has moved meanwhile, its own follows it."""

    def repair(work: SqlUnitOfWork) -> None:
        order = work.orders.get(one.order, lock=True)
        if order.step == one.step:
            work.executions.begin(order)

    return repair


def _give_back(due: Due) -> Repair:
    """The decision's message is gone: let people decide the step anew, and free the place that it took."""

    def repair(work: SqlUnitOfWork) -> None:
        order = work.orders.get(due.subject, lock=True)
        if key_of(due.message)[1:] == (order.id, order.step) and order.decision:
            if order.line_place and not work.pipelines.get(order.pipeline).state(order.state).holds_place:
                work.factory.release_place(order.line_place)
                order = replace(order, line_place=None)
            work.orders.give_back(order)

    return repair

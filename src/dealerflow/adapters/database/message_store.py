"""The message store as tables of the main database: durable queues whose messages commit with their work.

The life of a message: sent "ready" (or "delayed") → claimed, "held" under a lease → acknowledged (the row is
gone), put back ("delayed") or buried ("dead"). Claims of one queue are serialised by its row in `queues`.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import turns
from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.message_rows import (
    OF_THIS_LEASE,
    THESE,
    acknowledge,
    envelope_of,
    of_leases,
    send_all,
    slices,
)
from dealerflow.adapters.database.queue_console import DEAD, SqlQueues
from dealerflow.adapters.database.tables import messages, queues
from dealerflow.application.ports import QueueFigures
from dealerflow.application.queues import QueuePolicy, policy
from dealerflow.domain.messages import Claimed

__all__ = ["SqlMessageStore", "acknowledge", "send_all"]

MOST_DUE_AT_ONCE = 500  # delayed messages that one claim gives their turns
MOST_PASSED_OVER = 20_000  # messages of groups in other hands that one claim looks past, a few ms
TIDY_EVERY_MS = 60_000

_m = messages.c
_READY = sa.text(
    "messages.state = 'ready'"
)  # literals: partial indexes are used only where the query says the same
_DELAYED = sa.text("messages.state = 'delayed'")
_HELD = sa.text("messages.state = 'held'")

_queue = sa.bindparam("q", type_=sa.Text)
_now = sa.bindparam("now", type_=sa.BigInteger)
_limit = sa.bindparam("limit", type_=sa.Integer)

_DUE = sa.select(_m.id, _m.group, _m.turn).where(_DELAYED, _m.queue == _queue, _m.available_at <= _now)
_DUE_FIRST = _DUE.order_by(_m.available_at, _m.id).limit(_limit)
_GLANCE = sa.select(
    queues.c.paused,
    queues.c.closed_until,
    sa.exists().where(_READY, _m.queue == _queue),
    sa.exists().where(_DELAYED, _m.queue == _queue, _m.available_at <= _now),
).where(queues.c.name == _queue)
_LOCK_QUEUE = (
    sa.select(queues.c.paused, queues.c.closed_until).where(queues.c.name == _queue).with_for_update()
)
_IN_TURN = (_m.turn, _m.id)
_STORED = (
    _m.id,
    _m.queue,
    _m.group,
    _m.order_id,
    _m.body,
    _m.trace,
    _m.sent_at,
    _m.attempts,
    _m.suspect,
    _m.turn,
)
_NEXT = sa.select(*_STORED).where(_READY, _m.queue == _queue).order_by(*_IN_TURN).limit(_limit)
_AHEAD = (
    sa.select(_m.id, _m.group, _m.turn)
    .where(_READY, _m.queue == _queue)
    .order_by(*_IN_TURN)
    .limit(MOST_PASSED_OVER)
    .subquery()
)
_NEXT_PASSING_OVER = (
    sa.select(*_STORED)
    .join(_AHEAD, _AHEAD.c.id == _m.id)
    .where(_AHEAD.c.group.not_in(sa.bindparam("passed_over", expanding=True)))
    .order_by(_AHEAD.c.turn, _AHEAD.c.id)
    .limit(_limit)
)
_IN_OTHER_HANDS = (
    sa.select(_m.group)
    .distinct()
    .where(_HELD, _m.queue == _queue, _m.owner != sa.bindparam("owner"), _m.group != sa.text("''"))
)
_FREE: dict[str, object] = {"lease": None, "owner": None, "lease_until": None}
_HOLD = (
    sa.update(messages)
    .where(_m.id.in_(THESE))
    .values(
        state="held",
        attempts=_m.attempts + 1,
        lease=sa.bindparam("new_lease"),
        owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
    )
)
_TURN_ON = (
    sa.update(queues)
    .where(queues.c.name == _queue, queues.c.turn < sa.bindparam("reached"))
    .values(turn=sa.bindparam("reached"))
)
_GIVE_TURN = (
    sa.update(messages)
    .where(_m.id == sa.bindparam("this"))
    .values(state="ready", turn=sa.bindparam("new_turn"))
)
_RENEW = sa.update(messages).where(OF_THIS_LEASE).values(lease_until=sa.bindparam("until"))
_AT = sa.bindparam("at", type_=sa.BigInteger)
_ERROR = sa.bindparam("why", type_=sa.Text)
_AFTER_FAILURE = (
    sa.update(messages)
    .where(OF_THIS_LEASE)
    .values(state="delayed", turn=0, available_at=_AT, error=_ERROR, suspect=sa.false(), **_FREE)
)
# No attempt was made: it keeps its turn, so that its group keeps its order.
_UNTRIED = (
    sa.update(messages)
    .where(OF_THIS_LEASE)
    .values(state="delayed", available_at=_AT, error=_ERROR, attempts=_m.attempts - 1, **_FREE)
)
_BURY = sa.update(messages).where(OF_THIS_LEASE).values(state="dead", died_at=_AT, error=_ERROR, **_FREE)
_BURY_UNREAD = (
    sa.update(messages)
    .where(_m.id == sa.bindparam("this"))
    .values(state="dead", died_at=_AT, error=_ERROR, **_FREE)
)


class SqlMessageStore(SqlQueues):
    """`MessageStore` on SQLite and PostgreSQL.

    Each method is one short transaction of its own. Raises Outage when the database is away.
    """

    def __init__(self, engine: sa.Engine, *, policies: Callable[[str], QueuePolicy] = policy) -> None:
        super().__init__(engine)
        self._policy = policies
        self._tidied_at = 0

    def claim(self, queue: str, limit: int, *, owner: str, now: int) -> list[Claimed]:
        if limit < 1 or not self._worth_claiming(queue, now):
            return []
        with transaction(self._engine) as connection:
            row = connection.execute(_LOCK_QUEUE, {"q": queue}).one()
            if row.paused or row.closed_until > now:
                return []
            self._give_turns_to_due(connection, queue, max(limit, MOST_DUE_AT_ONCE), now)
            found = self._next(connection, queue, limit, owner)
            return self._hold(connection, queue, _first_suspect_alone(found), owner, now) if found else []

    def _worth_claiming(self, queue: str, now: int) -> bool:
        # A look before the lock: idle workers must not stand in the way of those who write.
        with transaction(self._engine, "read") as connection:
            row = connection.execute(_GLANCE, {"q": queue, "now": now}).one_or_none()
        return row is not None and not row[0] and row[1] <= now and bool(row[2] or row[3])

    def _give_turns_to_due(self, connection: sa.Connection, queue: str, limit: int, now: int) -> None:
        due = connection.execute(_DUE_FIRST, {"q": queue, "now": now, "limit": limit}).all()
        if not due:
            return
        new = iter(turns.give_turns(connection, [(queue, row.group) for row in due if not row.turn]))
        connection.execute(_GIVE_TURN, [{"this": row.id, "new_turn": row.turn or next(new)} for row in due])

    def _next(self, connection: sa.Connection, queue: str, limit: int, owner: str) -> Sequence[Any]:
        wanted = {"q": queue, "limit": limit}
        if self._policy(queue).ordered:
            passed_over = connection.execute(_IN_OTHER_HANDS, {"q": queue, "owner": owner}).scalars().all()
            if passed_over:
                return connection.execute(_NEXT_PASSING_OVER, {**wanted, "passed_over": passed_over}).all()
        return connection.execute(_NEXT, wanted).all()

    def _hold(
        self, connection: sa.Connection, queue: str, rows: Sequence[Any], owner: str, now: int
    ) -> list[Claimed]:
        lease = f"{owner}:{uuid.uuid4().hex[:12]}"
        claimed, held = [], []
        for row in rows:
            try:
                claimed.append(Claimed(envelope=envelope_of(row), attempt=row.attempts + 1, lease=lease))
                held.append(row.id)
            except (msgspec.MsgspecError, RecursionError) as error:
                connection.execute(
                    _BURY_UNREAD, {"this": row.id, "at": now, "why": f"it cannot be read: {error}"}
                )
        if held:
            until = now + self._policy(queue).lease_ms
            for ids in slices(held):
                connection.execute(_HOLD, {"ids": ids, "new_lease": lease, "owner": owner, "until": until})
        connection.execute(_TURN_ON, {"q": queue, "reached": rows[-1].turn})
        return claimed

    def put_back(self, claimed: Sequence[Claimed], *, at: int, error: str, failed: bool) -> None:
        with transaction(self._engine) as connection:
            of_leases(connection, _AFTER_FAILURE if failed else _UNTRIED, claimed, at=at, why=error)

    def bury(self, claimed: Sequence[Claimed], *, now: int, error: str) -> None:
        with transaction(self._engine) as connection:
            of_leases(connection, _BURY, claimed, at=now, why=error)

    def renew(self, claimed: Sequence[Claimed], *, now: int) -> None:
        with transaction(self._engine) as connection:
            for queue in {one.envelope.queue for one in claimed}:
                of_queue = [one for one in claimed if one.envelope.queue == queue]
                of_leases(connection, _RENEW, of_queue, until=now + self._policy(queue).lease_ms)

    def release(self, owners_alive: Collection[str], *, now: int) -> int:
        lost = sa.or_(_m.lease_until <= now, _m.owner.not_in(sorted(owners_alive)))
        with transaction(self._engine, "read") as connection:
            owners = connection.execute(sa.select(_m.owner).distinct().where(_HELD, lost)).scalars().all()
        released = 0
        if owners:
            # Only of these: it may have to wait for its turn to write, and who starts meanwhile is not known as alive.
            lost = sa.and_(lost, _m.owner.in_(owners))
            with transaction(self._engine) as connection:
                update = (
                    sa.update(messages).where(_HELD, lost).values(state="ready", suspect=sa.true(), **_FREE)
                )
                released = connection.execute(update).rowcount
        self._tidy(now)
        return released

    def _tidy(self, now: int) -> None:
        if now - self._tidied_at >= TIDY_EVERY_MS:
            self._tidied_at = now
            with transaction(self._engine) as connection:
                turns.forget_idle_groups(connection)

    def close(self, queue: str, *, until: int) -> None:
        self._set(queue, closed_until=until)

    def figures(self, *, now: int) -> list[QueueFigures]:
        with transaction(self._engine, "read") as connection:
            paused = {
                row.name: row.paused for row in connection.execute(sa.select(queues.c.name, queues.c.paused))
            }
            ready = _counts(connection, _READY)
            due = _counts(connection, _DELAYED, _m.available_at <= now)
            delayed = _counts(connection, _DELAYED, _m.available_at > now)
            held, dead = _counts(connection, _HELD), _counts(connection, DEAD)
        figures = []
        for name in sorted(paused):
            oldest = min((since for _, since in (ready[name], due[name]) if since is not None), default=now)
            figures.append(
                QueueFigures(
                    name=name,
                    waiting=ready[name][0] + due[name][0],
                    in_flight=held[name][0],
                    delayed=delayed[name][0],
                    dead=dead[name][0],
                    oldest_age_s=max(0, now - oldest) / 1000,
                    paused=bool(paused[name]),
                )
            )
        return figures

    def redrive(self, queue: str, ids: Collection[str] | None, *, now: int) -> int:
        # Due at once: the next claims give them their turns, so that a flood of them is fair too.
        again = (
            sa.update(messages)
            .where(DEAD, _m.queue == queue)
            .values(
                state="delayed",
                turn=0,
                available_at=now,
                attempts=0,
                suspect=sa.false(),
                died_at=None,
                error=None,
            )
        )
        with transaction(self._engine) as connection:
            if ids is None:
                return connection.execute(again).rowcount
            return sum(
                connection.execute(again.where(_m.id.in_(some))).rowcount for some in slices(sorted(ids))
            )


def _first_suspect_alone(rows: Sequence[Any]) -> Sequence[Any]:
    # What was in a dead worker's hands is worked alone: if it kills again, no innocent's attempt is counted.
    for place, row in enumerate(rows):
        if row.suspect:
            return rows[: max(place, 1)]
    return rows


def _counts(
    connection: sa.Connection, *where: sa.ColumnElement[bool] | sa.TextClause
) -> dict[str, tuple[int, int | None]]:
    query = sa.select(_m.queue, sa.func.count(), sa.func.min(_m.sent_at)).where(*where).group_by(_m.queue)
    found: dict[str, tuple[int, int | None]] = defaultdict(lambda: (0, None))
    found.update({queue: (count, oldest) for queue, count, oldest in connection.execute(query)})
    return found

"""What both modes keep in the database of what an operator does to queues: pauses, dead letters, what was given up and why."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from dealerflow.adapters.database import turns
from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.message_rows import dead_letter, slices
from dealerflow.adapters.database.tables import discarded, messages, queues
from dealerflow.application.ports import DeadLetter

_m = messages.c
DEAD = sa.text(
    "messages.state = 'dead'"
)  # a literal: the partial index is used only where the query says the same


class SqlQueues:
    """The part of `QueueConsole` that is the same in both modes: the truth is in the tables `queues` and `messages`.

    Each method is one short transaction of its own. Raises Outage when the database is away.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def declare(self, queues: Collection[str]) -> None:
        if queues:
            with transaction(self._engine) as connection:
                turns.make_known(connection, queues)

    def queues(self) -> list[str]:
        with transaction(self._engine, "read") as connection:
            return list(connection.execute(sa.select(queues.c.name).order_by(queues.c.name)).scalars())

    def is_open(self, queue: str, *, now: int) -> bool:
        with transaction(self._engine, "read") as connection:
            row = connection.execute(
                sa.select(queues.c.paused, queues.c.closed_until).where(queues.c.name == queue)
            ).one_or_none()
        return row is None or (not row.paused and row.closed_until <= now)

    def pause(self, queue: str) -> None:
        self._set(queue, paused=True)

    def resume(self, queue: str) -> None:
        self._set(queue, paused=False)

    def _set(self, queue: str, **values: object) -> None:
        with transaction(self._engine) as connection:
            turns.make_known(connection, [queue])
            connection.execute(sa.update(queues).where(queues.c.name == queue).values(**values))

    def dead_letters(self, queue: str, *, limit: int, after: str | None = None) -> list[DeadLetter]:
        query = (
            sa.select(messages)
            .where(DEAD, _m.queue == queue, _m.id > (after or ""))
            .order_by(_m.id)
            .limit(limit)
        )
        with transaction(self._engine, "read") as connection:
            return [dead_letter(row) for row in connection.execute(query)]

    def discard(self, queue: str, ids: Collection[str], *, now: int, by: str, reason: str) -> int:
        return len(self._give_up(queue, ids, now=now, by=by, reason=reason))

    def _give_up(self, queue: str, ids: Collection[str], *, now: int, by: str, reason: str) -> list[str]:
        """Those of these that were dead letters; they are gone, on record."""
        copied = [_m.id, _m.queue, _m.order_id, _m.body, _m.error]
        noted = {"at": sa.literal(now), "by": sa.literal(by), "reason": sa.literal(reason)}
        names = ["id", "queue", "order_id", "body", "error", *noted]
        gone: list[str] = []
        with transaction(self._engine) as connection:
            for some in slices(sorted(ids)):
                these = sa.and_(DEAD, _m.queue == queue, _m.id.in_(some))
                locked = connection.execute(sa.select(_m.id).where(these).with_for_update()).scalars().all()
                kept = sa.select(*copied, *noted.values()).where(_m.id.in_(locked))
                connection.execute(sa.insert(discarded).from_select(names, kept))
                connection.execute(sa.delete(messages).where(_m.id.in_(locked)))
                gone += locked
        return gone

"""The open orders whose state machine outside may not be as it must be: few among many, so that a million cost one query."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row
from dealerflow.application import queues
from dealerflow.application.following import DAY_MS, MOST_DAYS, PATIENCE_MS, Followed
from dealerflow.application.records import Execution
from dealerflow.application.work import Pipelines

_o, _x, _m = t.orders.c, t.executions.c, t.messages.c


def to_be_judged(connection: sa.Connection, pipelines: Pipelines, now: int) -> Iterator[Followed]:
    """Open orders that no execution waits for, whose execution is old, or whose decision has waited for long."""
    told = (
        sa.select(_m.order_id, sa.func.min(_m.sent_at).label("at"))
        .where(
            _m.queue == queues.DECISIONS,
            _m.queue.not_in(sa.select(t.queues.c.name).where(t.queues.c.paused)),
            _m.died_at.is_(None),
            _m.sent_at <= now - PATIENCE_MS,
        )
        .group_by(_m.order_id)
        .subquery()
    )
    doubtful = sa.or_(
        _x.order_id.is_(None),
        _x.step != _o.step,
        _x.token.is_(None),
        _x.started_at <= now - MOST_DAYS * DAY_MS,
        told.c.at.is_not(None),
    )
    query = (
        sa.select(_o.id, _o.step.label("at_step"), told.c.at.label("told_at"), *t.executions.c)
        .outerjoin(t.executions, _x.order_id == _o.id)
        .outerjoin(told, told.c.order_id == _o.id)
        .where(doubtful, _is_open(connection, pipelines))
        .order_by(_o.id)
    )
    for row in connection.execute(query):
        execution = None if row.order_id is None else from_row(Execution, row)
        yield Followed(order=row.id, step=row.at_step, execution=execution, told_at=row.told_at)


def _is_open(connection: sa.Connection, pipelines: Pipelines) -> sa.ColumnElement[bool]:
    kinds = connection.execute(sa.select(_o.pipeline, _o.state).distinct()).all()
    open_ = [(pipeline, state) for pipeline, state in kinds if _waits(pipelines, pipeline, state)]
    return sa.tuple_(_o.pipeline, _o.state).in_(open_)


def _waits(pipelines: Pipelines, pipeline: str, state: str) -> bool:
    """A state that the pipeline does not have is another law's affair."""
    found = pipelines.get(pipeline).states.get(state)
    return found is not None and not found.final

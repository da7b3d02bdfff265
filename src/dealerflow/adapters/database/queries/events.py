"""What happened, by position."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.queries.orders import event_of
from dealerflow.adapters.database.queries.reading import reading
from dealerflow.application.queries import EventFilter, EventsPage
from dealerflow.application.views import EventView, moment

MOST_LOOKED_AT = 20_000  # positions that one call goes through for the few events that a filter wants

_e = t.events.c
_newest = sa.select(sa.func.max(_e.position))


class SqlEventQueries:
    """Implements `application.queries.EventQueries`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def last_position(self) -> int:
        with reading(self._engine) as connection:
            return int(connection.execute(_newest).scalar_one() or 0)

    def position_of(self, event: str, dealerships: frozenset[str] | None) -> int | None:
        wanted = _conditions(EventFilter(dealerships=dealerships))
        statement = sa.select(_e.position).where(_e.id == event, *wanted)
        with reading(self._engine) as connection:
            position = connection.execute(statement).scalar_one_or_none()
        return None if position is None else int(position)

    def after(self, position: int, wanted: EventFilter, limit: int) -> EventsPage:
        with reading(self._engine) as connection:
            newest = int(connection.execute(_newest).scalar_one() or 0)
            until = newest if wanted.order else min(newest, position + MOST_LOOKED_AT)
            if position >= newest:
                return EventsPage(items=(), last=position, more=False)
            statement = (
                sa.select(t.events)
                .where(_e.position > position, _e.position <= until, *_conditions(wanted))
                .order_by(_e.position)
                .limit(limit)
            )
            items = tuple(_view(row) for row in connection.execute(statement))
        last = items[-1].position if len(items) == limit else until
        return EventsPage(items=items, last=last, more=last < newest)


def _conditions(wanted: EventFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.types:
        found.append(_e.type.in_(wanted.types))
    if wanted.order is not None:
        found.append(_e.order_id == wanted.order)
    if wanted.dealerships is not None:
        found.append(_e.dealership.in_(sorted(wanted.dealerships)))
    return found


def _view(row: sa.Row[Any]) -> EventView:
    event = event_of(row)
    return EventView(
        id=event.id,
        position=row.position,
        type=event.type,
        at=moment(event.at),
        order=event.order,
        dealership=event.dealership,
        state=event.state,
        outcome=event.outcome,
        by=event.by,
        details=event.details,
    )

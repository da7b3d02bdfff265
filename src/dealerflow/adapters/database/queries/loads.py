"""Loads with their cars, and delivery notes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.queries.reading import (
    behind,
    columns,
    factory_at_once,
    paged,
    part,
    reading,
)
from dealerflow.adapters.database.rows import from_row
from dealerflow.application.document_views import show_note
from dealerflow.application.order_views import FactoryAtOnce
from dealerflow.application.queries import Page, PageRequest, Reader
from dealerflow.application.records import Load
from dealerflow.application.shipping import departure_outcome, label, stays_because
from dealerflow.application.views import DeliveryNoteView, LoadCarView, LoadView, moment, moment_or_none
from dealerflow.application.work import Pipelines
from dealerflow.domain.errors import NotFound
from dealerflow.domain.orders import Order
from dealerflow.domain.shipping import DeliveryNote

_l, _n, _o, _r = t.loads.c, t.delivery_notes.c, t.orders.c, t.revisions.c

_CAR = (*columns(t.orders, "o_", Order), _r.colour, _r.labels, t.vehicles.c.vin)
_WHOSE: sa.BindParameter[str] = sa.bindparam("loads", expanding=True)


def _cars(
    source: sa.FromClause, load: sa.ColumnElement[str], order_id: sa.ColumnElement[str]
) -> sa.Select[Any]:
    joined = source.join(t.revisions, sa.and_(_r.order_id == _o.id, _r.number == _o.revision)).outerjoin(
        t.vehicles, t.vehicles.c.id == _o.vehicle
    )
    return (
        sa.select(load.label("on_load"), *_CAR)
        .select_from(joined)
        .where(load.in_(_WHOSE))
        .order_by(load, order_id)
    )


_waiting_cars = _cars(t.orders, _o.load, _o.id)
_departed_cars = _cars(
    t.departures.join(t.orders, _o.id == t.departures.c.order_id),
    t.departures.c.load,
    t.departures.c.order_id,
)


class SqlLoadQueries:
    """Implements `application.queries.LoadQueries`."""

    def __init__(self, engine: sa.Engine, pipelines: Pipelines) -> None:
        self._engine = engine
        self._pipelines = pipelines

    def many(
        self, reader: Reader, status: str | None, plants: Collection[str] | None, page: PageRequest
    ) -> Page[LoadView]:
        statement = _loads(plants).where(*behind([_l.id], page.after, down=True))
        if status is not None:
            statement = statement.where(_l.status == status)
        statement = statement.order_by(_l.id.desc()).limit(page.limit + 1)
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
            shown = paged(rows, page, lambda row: (row.id,))
            return Page(items=tuple(self._show(connection, shown.items, reader)), next=shown.next)

    def one(self, reader: Reader, load_id: str, plants: Collection[str] | None) -> LoadView:
        with reading(self._engine) as connection:
            row = connection.execute(_loads(plants).where(_l.id == load_id)).one_or_none()
            if row is None:
                raise NotFound(f"there is no load {load_id}")
            return self._show(connection, [row], reader)[0]

    def _show(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]], reader: Reader) -> list[LoadView]:
        if not rows:
            return []
        now = factory_at_once(connection)
        cars: dict[str, list[LoadCarView]] = {row.id: [] for row in rows}
        for status, statement in (("open", _waiting_cars), ("departed", _departed_cars)):
            ids = [row.id for row in rows if row.status == status]
            for car in connection.execute(statement, {"loads": ids}) if ids else ():
                cars[car.on_load].append(self._car(car, reader, now if status == "open" else None))
        return [_load_view(row, cars[row.id]) for row in rows]

    def _car(self, row: sa.Row[Any], reader: Reader, now: FactoryAtOnce | None) -> LoadCarView:
        """`now` None: it has left, nothing is in its way."""
        order = part(Order, row, "o_", json=("terms", "facts"))
        labels = msgspec.json.decode(row.labels, type=dict[str, dict[str, str]])
        language = reader.language_for()
        stays = None
        if now is not None:
            outcome = departure_outcome(self._pipelines.get(order.pipeline), order.state)
            stays = stays_because(now, order, outcome)
        return LoadCarView(
            order=order.id,
            dealership=order.dealership,
            model=label(labels, "model", language) or order.model,
            colour=label(labels, "colour", language) or row.colour,
            vin=row.vin,
            state=order.state,
            blocked=stays,
        )

    def notes(
        self, load: str | None, dealerships: Collection[str] | None, page: PageRequest
    ) -> Page[DeliveryNoteView]:
        statement = sa.select(_n.body).where(*behind([_n.id], page.after, down=True))
        if load is not None:
            statement = statement.where(_n.load == load)
        if dealerships is not None:
            statement = statement.where(_n.dealership.in_(sorted(dealerships)))
        statement = statement.order_by(_n.id.desc()).limit(page.limit + 1)
        with reading(self._engine) as connection:
            found = [show_note(_note(body)) for body in connection.execute(statement).scalars()]
        return paged(found, page, lambda note: (note.id,))

    def note(self, note_id: str) -> DeliveryNote | None:
        with reading(self._engine) as connection:
            body = connection.execute(sa.select(_n.body).where(_n.id == note_id)).scalar_one_or_none()
        return _note(body) if body else None


def _loads(plants: Collection[str] | None) -> sa.Select[Any]:
    maker = sa.select(t.accounts.c.name).where(t.accounts.c.id == _l.created_by).scalar_subquery()
    statement = sa.select(t.loads, maker.label("maker"))
    return statement if plants is None else statement.where(_l.plant.in_(sorted(plants)))


def _load_view(row: sa.Row[Any], cars: Sequence[LoadCarView]) -> LoadView:
    load = from_row(Load, row)
    return LoadView(
        id=load.id,
        status=load.status,
        plant=load.plant,
        carrier=load.carrier,
        created_at=moment(load.created_at),
        created_by=row.maker or load.created_by,
        departed_at=moment_or_none(load.departed_at),
        orders=tuple(car.order for car in cars),
        cars=tuple(cars),
    )


def _note(body: str) -> DeliveryNote:
    return msgspec.json.decode(body, type=DeliveryNote)

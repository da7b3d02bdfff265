"""Orders as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.queries.order_pages import Wanted, count_of, page_ids, search, states_in_use
from dealerflow.adapters.database.queries.reading import columns, factory_at_once, page_of, part, reading
from dealerflow.adapters.database.rows import from_row
from dealerflow.application.order_views import (
    CONTACT_ROLES,
    OrderFacts,
    StaffMember,
    show_order,
    staff_ids,
)
from dealerflow.application.queries import OrderFilter, Page, PageRequest, Reader
from dealerflow.application.records import Payment
from dealerflow.application.views import OrderView
from dealerflow.application.work import Pipelines
from dealerflow.domain.errors import Malformed, NotFound
from dealerflow.domain.events import Event
from dealerflow.domain.orders import RECEIVED, Customer, Order, Revision
from dealerflow.domain.people import DEALER_ROLES, Caller
from dealerflow.pipeline.definition import Pipeline, listed, shown

MOST_HISTORY = 1_000  # an order that was reworked for ever still has a page

_SELECTED = (
    *columns(t.orders, "o_", Order),
    *columns(t.customers, "c_", Customer),
    *columns(t.revisions, "r_", Revision),
    t.vehicles.c.vin,
    t.dealerships.c.name.label("dealership_name"),
)
_JOINED = (
    t.orders.join(t.customers, t.customers.c.order_id == t.orders.c.id)
    .join(
        t.revisions,
        sa.and_(t.revisions.c.order_id == t.orders.c.id, t.revisions.c.number == t.orders.c.revision),
    )
    .outerjoin(t.vehicles, t.vehicles.c.id == t.orders.c.vehicle)
    .outerjoin(t.dealerships, t.dealerships.c.id == t.orders.c.dealership)
)
_THESE: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_orders = sa.select(*_SELECTED).select_from(_JOINED).where(t.orders.c.id.in_(_THESE))
_payments = (
    sa.select(t.payments)
    .where(t.payments.c.order_id.in_(_THESE))
    .order_by(t.payments.c.order_id, t.payments.c.id)
)
_invoices = (
    sa.select(t.documents.c.order_id, t.documents.c.number)
    .where(t.documents.c.order_id.in_(_THESE), t.documents.c.kind == "invoice")
    .order_by(t.documents.c.id)
)
_history = (
    sa.select(t.events)
    .where(t.events.c.order_id == sa.bindparam("order_id"))
    .order_by(t.events.c.n.desc())
    .limit(MOST_HISTORY)
)
_at_dealership = (
    sa.select(t.memberships.c.role)
    .where(t.memberships.c.account == t.accounts.c.id, t.memberships.c.role.in_(sorted(DEALER_ROLES)))
    .exists()
)
_staff = sa.select(t.accounts.c.id, t.accounts.c.name, _at_dealership.label("dealer")).where(
    t.accounts.c.id.in_(_THESE)
)


class SqlOrderQueries:
    """Implements `application.queries.OrderQueries`."""

    def __init__(self, engine: sa.Engine, pipelines: Pipelines) -> None:
        self._engine = engine
        self._pipelines = pipelines

    def one(self, reader: Reader, order_id: str) -> OrderView:
        with reading(self._engine) as connection:
            facts = _read(connection, [order_id])
            if not facts or not _is_shown(reader.caller, facts[0].order):
                raise NotFound(f"there is no order {order_id}")
            history = _read_history(connection, order_id)
            staff = _read_staff(connection, staff_ids(history))
            whole = msgspec.structs.replace(facts[0], history=history, staff=staff)
            return self._show(connection, [whole], reader)[0]

    def many(self, reader: Reader, wanted: OrderFilter, page: PageRequest) -> Page[OrderView]:
        with reading(self._engine) as connection:
            rows = page_ids(connection, self._wanted(connection, reader.caller, wanted), page)
            keys, more = page_of(rows, page, lambda row: (row.key, row.id))
            facts = _read(connection, [row.id for row in keys])
            return Page(items=tuple(self._show(connection, facts, reader)), next=more)

    def count(self, reader: Reader, wanted: OrderFilter, most: int) -> int:
        with reading(self._engine) as connection:
            return count_of(connection, self._wanted(connection, reader.caller, wanted), most)

    def is_stored(self, order_id: str) -> bool:
        with reading(self._engine) as connection:
            there = sa.select(sa.exists().where(t.orders.c.id == order_id))
            return bool(connection.execute(there).scalar_one())

    def _show(
        self, connection: sa.Connection, facts: Sequence[OrderFacts], reader: Reader
    ) -> list[OrderView]:
        if not facts:
            return []
        now = factory_at_once(connection)
        return [show_order(one, reader, self._pipelines.get(one.order.pipeline), now) for one in facts]

    def _wanted(self, connection: sa.Connection, caller: Caller, wanted: OrderFilter) -> Wanted:
        pipeline = self._pipelines.current
        _check_states(connection, pipeline, wanted.states)
        dealerships = _scope(caller, wanted.dealership)
        line = wanted.line
        models: tuple[str, ...] | None = (wanted.model,) if wanted.model else None
        if line is not None and wanted.states and set(wanted.states) <= waiting_states(pipeline):
            models = _buildable(connection, line, wanted.model)
            line = None
        ids = None
        if wanted.q:
            ids = search(connection, wanted.q, dealerships, emails=_sees_emails(caller))
        return Wanted(
            dealerships=dealerships,
            states=wanted.states or None,
            models=models,
            line=line,
            load=wanted.load,
            ids=ids,
            sort=wanted.order,
        )


def waiting_states(pipeline: Pipeline) -> frozenset[str]:
    """The states in which an order waits for a line: those that are left by choosing one."""
    return frozenset(
        move.source
        for move in pipeline.moves()
        if any(detail.source == "lines" for detail in move.outcome.details)
    )


def _check_states(connection: sa.Connection, pipeline: Pipeline, states: Iterable[str]) -> None:
    unknown = [state for state in states if state != RECEIVED and state not in pipeline.states]
    if unknown and not set(unknown) <= set(states_in_use(connection)):  # an older pipeline may have more
        raise Malformed(
            f"there is no state {shown(unknown[0])}; choose one of {listed(pipeline.states)}, {RECEIVED}"
        )


def _scope(caller: Caller, dealership: str | None) -> tuple[str, ...] | None:
    """The dealerships whose orders are listed; None: all."""
    if caller.sees_every_order:
        return None if dealership is None else (dealership,)
    own = sorted(caller.dealerships)
    return tuple(own) if dealership is None else tuple(one for one in own if one == dealership)


def _sees_emails(caller: Caller) -> bool:
    return bool(caller.dealerships) or caller.has(*CONTACT_ROLES)


def _buildable(connection: sa.Connection, line: str, model: str | None) -> tuple[str, ...] | None:
    """The models that the line builds, of those that are asked for; None: every model."""
    row = connection.execute(sa.select(t.lines.c.models).where(t.lines.c.id == line)).one_or_none()
    if row is None:
        return ()
    builds: tuple[str, ...] | None = (
        msgspec.json.decode(row.models, type=tuple[str, ...]) if row.models else None
    )
    if model is None or builds is None:
        return builds if model is None else (model,)
    return tuple(one for one in builds if one == model)


def _is_shown(caller: Caller, order: Order) -> bool:
    void = caller.customer_of == order.id and caller.link_number != order.link_number
    return not void and caller.sees(order.id, order.dealership, order.link_number)


def _read(connection: sa.Connection, ids: Sequence[str]) -> list[OrderFacts]:
    """What the database has of these orders, in this order, in three statements. Orders that are not there are left out."""
    if not ids:
        return []
    rows = {row.o_id: row for row in connection.execute(_orders, {"ids": ids})}
    payments: dict[str, list[Payment]] = {}
    for row in connection.execute(_payments, {"ids": ids}):
        payments.setdefault(row.order_id, []).append(from_row(Payment, row))
    invoices = {row.order_id: row.number for row in connection.execute(_invoices, {"ids": ids})}
    return [_facts(rows[id_], payments.get(id_, ()), invoices.get(id_)) for id_ in ids if id_ in rows]


def _facts(row: sa.Row[Any], payments: Iterable[Payment], invoice: str | None) -> OrderFacts:
    order = part(Order, row, "o_", json=("terms", "facts"))
    return OrderFacts(
        order=order,
        customer=part(Customer, row, "c_"),
        revision=part(Revision, row, "r_", json=("options", "labels", "lines")),
        dealership_name=row.dealership_name or order.dealership,
        vin=row.vin,
        payments=tuple(payments),
        invoice=invoice,
    )


def _read_history(connection: sa.Connection, order_id: str) -> tuple[Event, ...]:
    rows = connection.execute(_history, {"order_id": order_id}).all()
    return tuple(event_of(row) for row in reversed(rows))


def event_of(row: sa.Row[Any]) -> Event:
    """The event in a row of its table."""
    values = {**row._mapping, "order": row.order_id, "details": msgspec.json.decode(row.details)}
    return Event(**{name: values[name] for name in Event.__struct_fields__})


def _read_staff(connection: sa.Connection, ids: Iterable[str]) -> dict[str, StaffMember]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    rows = connection.execute(_staff, {"ids": wanted})
    return {row.id: StaffMember(name=row.name, dealer=bool(row.dealer)) for row in rows}

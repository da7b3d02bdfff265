"""What must always hold, as queries that find where it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.application.audit import Finding
from dealerflow.application.effects import states_with_a_car
from dealerflow.application.work import Pipelines
from dealerflow.pipeline.definition import Action

Law = Callable[[sa.Connection, Pipelines], Iterator[Finding]]


def states_hold(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """Each order stands in a state of its pipeline, at the step of its one open entry."""
    check = "every order has its state"
    o, e = t.orders.c, t.entries.c
    for pipeline_id, state in connection.execute(sa.select(o.pipeline, o.state).distinct()):
        if state not in pipelines.get(pipeline_id).states:
            yield Finding(
                check=check, subject=pipeline_id, detail=f"orders stand in “{state}”, which it does not have"
            )
    lost = sa.select(o.id).where(~sa.exists().where(e.step == o.step, e.order_id == o.id, e.state == o.state))
    for order in connection.execute(lost).scalars():
        yield Finding(check=check, subject=order, detail="it has no entry for the step at which it stands")
    several = (
        sa.select(e.order_id).where(e.left_at.is_(None)).group_by(e.order_id).having(sa.func.count() > 1)
    )
    for order in connection.execute(several).scalars():
        yield Finding(check=check, subject=order, detail="it has not left a state that it is no longer in")


def vehicles_hold(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """No car belongs to two orders, and an order's car knows it."""
    check = "every car belongs to one order"
    o, v = t.orders.c, t.vehicles.c
    shared = (
        sa.select(o.vehicle).where(o.vehicle.is_not(None)).group_by(o.vehicle).having(sa.func.count() > 1)
    )
    for vehicle in connection.execute(shared).scalars():
        yield Finding(check=check, subject=str(vehicle), detail="several orders have this car")
    strange = sa.select(o.id).where(
        o.vehicle.is_not(None), ~sa.exists().where(v.id == o.vehicle, v.order_id == o.id)
    )
    for order in connection.execute(strange).scalars():
        yield Finding(check=check, subject=order, detail="its car is missing, or belongs to another order")


def cars_are_there(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """Where every order has a car, each order has one."""
    o = t.orders.c
    for pipeline_id in connection.execute(sa.select(o.pipeline).distinct()).scalars().all():
        states = sorted(states_with_a_car(pipelines.get(pipeline_id)))
        without = sa.select(o.id, o.state).where(
            o.pipeline == pipeline_id, o.state.in_(states), o.vehicle.is_(None)
        )
        for row in connection.execute(without):
            yield Finding(
                check="every car exists", subject=row.id, detail=f"it is in “{row.state}” and has no car"
            )


def money_adds_up(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """What an order counts as paid is what its payments say."""
    o, p = t.orders.c, t.payments.c
    arrived = sa.func.coalesce(
        sa.func.sum(sa.case((p.status.in_(("paid", "refund_requested")), p.amount), else_=0)), 0
    )
    wrong = (
        sa.select(o.id, o.paid, arrived.label("arrived"))
        .outerjoin(t.payments, p.order_id == o.id)
        .group_by(o.id, o.paid)
        .having(o.paid != arrived)
    )
    for row in connection.execute(wrong):
        detail = f"the order counts {row.paid} as paid, its payments come to {row.arrived}"
        yield Finding(check="payments add up", subject=row.id, detail=detail)


def numbers_have_no_gap(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """The running numbers of a series are 1 to its last, each once."""
    d, s = t.documents.c, t.number_series.c
    series = (d.seller_id, d.kind, d.year, d.restored)
    found = (
        sa.select(*series, sa.func.count().label("documents"), sa.func.max(d.running).label("highest"))
        .group_by(*series)
        .subquery()
    )
    f = found.c
    wrong = (
        sa.select(
            s.seller, s.kind, s.year, s.last, sa.func.coalesce(f.documents, 0).label("documents"), f.highest
        )
        .outerjoin(
            found,
            sa.and_(f.seller_id == s.seller, f.kind == s.kind, f.year == s.year, f.restored == s.restored),
        )
        .where(sa.or_(s.last != sa.func.coalesce(f.documents, 0), s.last != sa.func.coalesce(f.highest, 0)))
    )
    for row in connection.execute(wrong):
        detail = f"{row.documents} documents up to number {row.highest}, but {row.last} numbers were given"
        yield Finding(
            check="number series have no gap", subject=f"{row.seller} {row.kind} {row.year}", detail=detail
        )


def places_add_up(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """A line's taken places are those that orders hold."""
    held = (
        sa.select(t.orders.c.line_place, sa.func.count().label("cars"))
        .group_by(t.orders.c.line_place)
        .subquery()
    )
    cars = sa.func.coalesce(held.c.cars, 0)
    wrong = (
        sa.select(t.lines.c.id, t.lines.c.taken, cars.label("cars"))
        .outerjoin(held, held.c.line_place == t.lines.c.id)
        .where(t.lines.c.taken != cars)
    )
    for row in connection.execute(wrong):
        detail = f"{row.taken} places count as taken, {row.cars} cars hold one"
        yield Finding(check="places on the lines add up", subject=row.id, detail=detail)


def notes_list_their_cars(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """What left with a departed load is known."""
    loads, d = t.loads.c, t.departures.c
    empty = sa.select(loads.id).where(loads.status == "departed", ~sa.exists().where(d.load == loads.id))
    for load in connection.execute(empty).scalars():
        yield Finding(
            check="every departure has its cars", subject=load, detail="it departed with no car on record"
        )


def positions_have_no_gap(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """Event positions are 1 to the last, each once."""
    e = t.events.c
    count, highest = connection.execute(sa.select(sa.func.count(e.position), sa.func.max(e.position))).one()
    if count != (highest or 0):
        yield Finding(
            check="event positions have no gap", subject="events", detail=f"{count} positions up to {highest}"
        )


def mails_were_asked_for(connection: sa.Connection, pipelines: Pipelines) -> Iterator[Finding]:
    """Each entry asked for the mails to customer and dealership that its pipeline declares."""
    e = t.entries.c
    for pipeline_id, state_name in connection.execute(sa.select(e.pipeline, e.state).distinct()).all():
        state = pipelines.get(pipeline_id).states.get(state_name)
        for number, action in enumerate(state.actions if state else ()):
            if action.kind == "mail" and action.target in ("customer", "dealership"):
                missing = _entries_without(pipeline_id, state_name, number, action)
                for row in connection.execute(missing):
                    detail = (
                        f"entering “{state_name}” should have mailed {action.template} to the {action.target}"
                    )
                    yield Finding(check="every due mail was asked for", subject=row.order_id, detail=detail)


def _entries_without(pipeline_id: str, state: str, number: int, action: Action) -> sa.Select[tuple[str]]:
    e = t.entries.alias("entered")
    recipient = e.c.order_id if action.target == "customer" else t.orders.c.dealership
    key = e.c.step + f":{number}:{action.template}:{action.target}:" + recipient
    missing = (
        sa.select(e.c.order_id)
        .join(t.orders, t.orders.c.id == e.c.order_id)
        .where(e.c.pipeline == pipeline_id, e.c.state == state, ~e.c.silent)
        .where(~sa.exists().where(t.mails.c.key == key))
    )
    if action.when == "first":
        earlier = t.entries.alias("earlier")
        same = sa.and_(
            earlier.c.order_id == e.c.order_id, earlier.c.state == e.c.state, earlier.c.step < e.c.step
        )
        missing = missing.where(~sa.exists().where(same))
    return missing


LAWS: tuple[Law, ...] = (
    states_hold,
    vehicles_hold,
    cars_are_there,
    money_adds_up,
    numbers_have_no_gap,
    places_add_up,
    notes_list_their_cars,
    positions_have_no_gap,
    mails_were_asked_for,
)

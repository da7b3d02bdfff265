"""Orders, their customers, revisions and entries into states."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row, to_json, to_row
from dealerflow.adapters.database.search import search_keys
from dealerflow.adapters.database.session import Session
from dealerflow.domain.errors import NotFound
from dealerflow.domain.orders import Customer, NewOrder, Order, Revision

_JSON = ("terms", "facts")
_REVISION_JSON = ("options", "labels", "lines")

_get = sa.select(t.orders).where(t.orders.c.id == sa.bindparam("order_id"))
_get_locked = _get.with_for_update()
_claim = (
    sa.update(t.orders)
    .where(
        t.orders.c.id == sa.bindparam("order_id"),
        t.orders.c.step == sa.bindparam("at_step"),
        t.orders.c.decision.is_(None),
    )
    .values(decision=sa.bindparam("outcome"), decided_by=sa.bindparam("by"), line_place=sa.bindparam("place"))
)
# Only what a move may change: a payment or a new link at the same time must not be overwritten.
_MOVED = (
    "state",
    "step",
    "entered_at",
    "decision",
    "decided_by",
    "vehicle",
    "line",
    "line_place",
    "failures",
    "load",
)
_enter = (
    sa.update(t.orders)
    .where(t.orders.c.id == sa.bindparam("order_id"), t.orders.c.step == sa.bindparam("left_step"))
    .values({name: sa.bindparam(f"new_{name}") for name in _MOVED})
)
_leave = (
    sa.update(t.entries)
    .where(t.entries.c.step == sa.bindparam("left_step"))
    .values(left_at=sa.bindparam("at"), outcome=sa.bindparam("by_outcome"), by=sa.bindparam("who"))
)
_times_in = sa.select(sa.func.count()).where(
    t.entries.c.order_id == sa.bindparam("order_id"), t.entries.c.state == sa.bindparam("in_state")
)
_add_paid = (
    sa.update(t.orders)
    .where(t.orders.c.id == sa.bindparam("order_id"))
    .values(paid=t.orders.c.paid + sa.bindparam("amount"))
)
_revision = (
    sa.select(t.revisions)
    .where(t.revisions.c.order_id == sa.bindparam("order_id"))
    .order_by(t.revisions.c.number.desc())
    .limit(1)
)
_customer = sa.select(t.customers).where(t.customers.c.order_id == sa.bindparam("order_id"))


class SqlOrders:
    """Implements `application.work.Orders`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, new: NewOrder, order: Order, *, silent: bool = False) -> None:
        add = self._session.add
        add(t.orders, to_row(order, json=_JSON))
        add(t.customers, {"order_id": order.id, **to_row(new.customer), **search_keys(new.customer)})
        add(t.revisions, {"order_id": order.id, "at": new.at, **to_row(new.revision, json=_REVISION_JSON)})
        self._add_entry(order, left_at=None, silent=silent)

    def _add_entry(self, order: Order, *, left_at: int | None, silent: bool) -> None:
        entry = {
            "step": order.step,
            "order_id": order.id,
            "state": order.state,
            "entered_at": order.entered_at,
            "pipeline": order.pipeline,
            "silent": silent,
        }
        self._session.add(t.entries, {**entry, "left_at": left_at, "outcome": None, "by": None})

    def get(self, order_id: str, *, lock: bool = False) -> Order:
        row = self._session.run(
            _get_locked if lock else _get, {"order_id": order_id}, touches=(t.orders,)
        ).one_or_none()
        if row is None:
            raise NotFound(f"there is no order {order_id}")
        return from_row(Order, row, json=_JSON)

    def customer(self, order_id: str) -> Customer:
        row = self._session.run(_customer, {"order_id": order_id}, touches=(t.customers,)).one()
        return from_row(Customer, row)

    def revision(self, order_id: str) -> Revision:
        row = self._session.run(_revision, {"order_id": order_id}, touches=(t.revisions,)).one()
        return from_row(Revision, row, json=_REVISION_JSON)

    def claim_step(self, order: Order, outcome: str, by: str) -> bool:
        parameters = {
            "order_id": order.id,
            "at_step": order.step,
            "outcome": outcome,
            "by": by,
            "place": order.line_place,
        }
        return self._session.run(_claim, parameters, touches=(t.orders,)).rowcount == 1

    def enter(
        self, order: Order, left: str, *, outcome: str | None, by: str, closes: bool, silent: bool = False
    ) -> bool:
        new = {f"new_{name}": getattr(order, name) for name in _MOVED}
        if (
            self._session.run(
                _enter, {"order_id": order.id, "left_step": left, **new}, touches=(t.orders,)
            ).rowcount
            != 1
        ):
            return False
        leaving = {"left_step": left, "at": order.entered_at, "by_outcome": outcome, "who": by}
        self._session.run(_leave, leaving, touches=(t.entries,))
        self._add_entry(order, left_at=order.entered_at if closes else None, silent=silent)
        return True

    def give_back(self, order: Order) -> None:
        here = (t.orders.c.id == order.id, t.orders.c.step == order.step)
        undone = {"decision": None, "decided_by": None, "line_place": order.line_place}
        self._session.run(sa.update(t.orders).where(*here).values(undone))

    def times_in(self, order_id: str, state: str) -> int:
        return int(
            self._session.run(
                _times_in, {"order_id": order_id, "in_state": state}, touches=(t.entries,)
            ).scalar_one()
        )

    def add_paid(self, order_id: str, amount: int) -> None:
        self._session.run(_add_paid, {"order_id": order_id, "amount": amount}, touches=(t.orders,))

    def put_on_load(self, order_id: str, load: str, states: Collection[str]) -> bool:
        o = t.orders.c
        waits = (o.id == order_id, o.load.is_(None), o.decision.is_(None), o.state.in_(list(states)))
        return self._session.run(sa.update(t.orders).where(*waits).values(load=load)).rowcount == 1

    def take_off_load(self, load: str, keep: Collection[str] = ()) -> None:
        o = t.orders.c
        self._session.run(
            sa.update(t.orders).where(o.load == load, o.id.not_in(list(keep))).values(load=None)
        )

    def on_load(self, load: str) -> list[Order]:
        statement = (
            sa.select(t.orders).where(t.orders.c.load == load).order_by(t.orders.c.id).with_for_update()
        )
        return [from_row(Order, row, json=_JSON) for row in self._session.run(statement)]

    def set_facts(self, order_id: str, facts: dict[str, Any]) -> None:
        order = self.get(order_id, lock=True)
        merged = to_json({**order.facts, **facts})
        self._session.run(sa.update(t.orders).where(t.orders.c.id == order_id).values(facts=merged))

    def renew_link(self, order_id: str) -> int:
        statement = (
            sa.update(t.orders)
            .where(t.orders.c.id == order_id)
            .values(link_number=t.orders.c.link_number + 1)
        )
        number = self._session.run(statement.returning(t.orders.c.link_number)).scalar_one_or_none()
        if number is None:
            raise NotFound(f"there is no order {order_id}")
        return int(number)

    def following(self, pipeline: str, *, after: str, limit: int) -> list[Order]:
        o = t.orders.c
        page = sa.select(t.orders).where(o.pipeline == pipeline, o.id > after).order_by(o.id).limit(limit)
        return [from_row(Order, row, json=_JSON) for row in self._session.run(page, touches=(t.orders,))]

    def move_pipeline(self, order_id: str, step: str, pipeline: str) -> bool:
        o = t.orders.c
        waits = (o.id == order_id, o.step == step, o.decision.is_(None))
        return self._session.run(sa.update(t.orders).where(*waits).values(pipeline=pipeline)).rowcount == 1

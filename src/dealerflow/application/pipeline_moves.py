"""Moving orders to another version of the pipeline. Until then an order keeps the version with which it
started.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dealerflow.application.work import Database
from dealerflow.domain.errors import Conflict
from dealerflow.domain.orders import Order
from dealerflow.pipeline.definition import Pipeline

AT_ONCE = 500
DECIDED = "a decision is on its way; try again"


class PipelineMove(msgspec.Struct, frozen=True, kw_only=True):
    """What a move comes to: the orders that move to `to`, and why others stay (order → reason). Orders that
    are over are left out.
    """

    to: str
    moved: tuple[str, ...]
    kept: dict[str, str]


def move_orders(database: Database, version: str, *, carry_out: bool) -> PipelineMove:
    """Move the open orders that follow `version` to the current one; without `carry_out` only say which.

    Raises NotFound (there is no such version), Conflict (it is the current one), Outage; what was moved
    until then stays moved.
    """
    with database.read() as work:
        old, new = work.pipelines.get(version), work.pipelines.current
    if old.id == new.id:
        raise Conflict(f"{version} is the version that new orders follow")
    moved: list[str] = []
    kept: dict[str, str] = {}
    for order in _following(database, version):
        if old.state(order.state).final:
            continue
        if reason := _obstacle(order, new):
            kept[order.id] = reason
        elif carry_out and not _move(database, order, new):
            kept[order.id] = DECIDED
        else:
            moved.append(order.id)
    return PipelineMove(to=new.id, moved=tuple(moved), kept=kept)


def _following(database: Database, version: str) -> Iterator[Order]:
    after = ""
    while True:
        with database.read() as work:
            page = work.orders.following(version, after=after, limit=AT_ONCE)
        if not page:
            return
        yield from page
        after = page[-1].id


def _obstacle(order: Order, new: Pipeline) -> str | None:
    if order.decision:
        return DECIDED
    state = new.states.get(order.state)
    if state is None:
        return f"{new.name} version {new.version} has no state {order.state}"
    if state.holds_place and not order.line_place:
        return f"in {order.state} a car now holds a place on a line; place it by hand (orders place)"
    return None


def _move(database: Database, order: Order, new: Pipeline) -> bool:
    with database.begin() as work:
        moved = work.orders.move_pipeline(order.id, order.step, new.id)
        if moved:
            work.executions.begin(order)
        return moved

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from dealerflow.application.queries import OrderFilter, PageRequest, Reader
from dealerflow.domain.people import Account, Caller, Membership
from tests.web.harness import Client

BEHIND = PageRequest(after=(1_000, "ord_1"))
FILTERS = {
    "ix_orders_placed": OrderFilter(),
    "ix_orders_state": OrderFilter(states=("order_arrived",)),
    "ix_orders_state_placed": OrderFilter(states=("order_arrived",), sort="-placed_at"),
    "ix_orders_dealership_placed": OrderFilter(dealership="northside", states=("ended",), sort="placed_at"),
    "ix_orders_dealership": OrderFilter(dealership="northside", states=("order_arrived",), model="meridian"),
    "ix_orders_model": OrderFilter(model="meridian", states=("ended",), sort="-placed_at"),
    "ix_orders_line": OrderFilter(line="A"),
}


@pytest.mark.parametrize("index", FILTERS)
def test_a_page_is_a_walk_along_the_index_that_is_meant_for_it(anyone: Client, index: str) -> None:
    """SQLite, which keeps no figures about its tables, must find it without any."""
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(anyone.system.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    admin = Caller(account=Account(id="a", email="a", name="a", memberships=(Membership(role="admin"),)))
    anyone.system.web.queries.orders.many(Reader(caller=admin), FILTERS[index], BEHIND)
    page = next((statement, values) for statement, values in asked if "LIMIT" in statement)
    with anyone.system.engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {page[0]}", page[1])]
    assert any(f"INDEX {index} " in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan

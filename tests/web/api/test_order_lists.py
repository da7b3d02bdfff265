from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from tests.web.api.life import API, brought, decided, paid, placed
from tests.web.harness import Client


def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{API}/orders?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def ids(client: Client, query: str = "") -> list[str]:
    return [item["id"] for item in listed(client, query)]


def paged(client: Client, query: str, limit: int) -> list[str]:
    """The ids of every page, one after the other."""
    found: list[str] = []
    more: str | None = ""
    while more is not None:
        cursor = f"&cursor={more}" if more else ""
        answer = client.get(f"{API}/orders?{query}&limit={limit}{cursor}").json()
        assert 0 < len(answer["items"]) <= limit
        found += [item["id"] for item in answer["items"]]
        more = answer["next"]
    return found


def some_orders(anyone: Client, count: int = 6) -> list[str]:
    """Orders of northside and harbour in turns, a second apart; every third is accepted, a minute later, the newest first."""
    orders = []
    for number in range(count):
        orders.append(placed(anyone, dealership=("northside", "harbour")[number % 2]))
        anyone.system.clock.pass_ms(1_000)
    for number in reversed(range(0, count, 3)):
        anyone.system.clock.pass_ms(60_000)
        decided(
            anyone.as_(("dealer@northside", "dealer@harbour")[number % 2]), orders[number]["id"], "accept"
        )
    return [order["id"] for order in orders]


def test_lists_come_in_every_sort_page_by_page(everywhere: Client) -> None:
    orders = some_orders(everywhere)
    admin = everywhere.as_("admin")
    by_entry = [orders[n] for n in (1, 2, 4, 5, 3, 0)]
    expected = {
        "placed_at": orders,
        "-placed_at": orders[::-1],
        "entered_at": by_entry,
        "-entered_at": by_entry[::-1],
    }
    for sort, order in expected.items():
        assert ids(admin, f"sort={sort}") == order
        for limit in (1, 2, 4, 6):
            assert paged(admin, f"sort={sort}", limit) == order
    assert ids(admin) == orders[::-1]


def test_lists_are_narrowed_by_each_condition(everywhere: Client) -> None:
    orders = some_orders(everywhere)
    admin = everywhere.as_("admin")
    assert ids(admin, "state=order_arrived") == [orders[3], orders[0]]  # who waits longest comes first
    assert ids(admin, "state=order_arrived&sort=placed_at") == [orders[0], orders[3]]
    assert ids(admin, "state=order_arrived,order_placed&sort=placed_at") == orders
    assert paged(admin, "state=order_arrived,order_placed", 2) == [orders[n] for n in (1, 2, 4, 5, 3, 0)]
    assert ids(admin, "dealership=harbour&sort=placed_at") == orders[1::2]
    assert ids(admin, "dealership=harbour&state=order_arrived") == [orders[3]]
    assert ids(admin, "model=meridian&sort=placed_at") == orders
    assert ids(admin, "model=unknown") == ids(admin, "dealership=unknown") == []
    assert ids(admin, "state=received") == ids(admin, "state=ended") == []


def test_a_dealership_sees_only_its_own(everywhere: Client) -> None:
    orders = some_orders(everywhere)
    dealer = everywhere.as_("dealer@harbour")
    for sort in ("placed_at", "entered_at"):
        assert sorted(ids(dealer, f"sort={sort}")) == orders[1::2]
        assert sorted(paged(dealer, f"sort={sort}", 2)) == orders[1::2]
    assert ids(dealer, "dealership=northside") == []
    assert ids(dealer, f"q={orders[0]}") == []
    assert ids(dealer, "q=Ana&sort=placed_at") == orders[1::2]


def test_the_queue_of_a_line_is_what_it_can_build(everywhere: Client) -> None:
    anyone = everywhere
    _only_builds(anyone, "B", ["meridian"])
    first = placed(anyone)
    other = placed(anyone, vehicle=_another_car(anyone))
    for order in (first, other):
        decided(anyone.as_("dealer@northside"), order["id"], "accept")
    assert ids(anyone.as_("production"), "line=A&state=order_arrived") == [first["id"], other["id"]]
    assert ids(anyone.as_("production"), "line=B&state=order_arrived") == [first["id"]]
    assert ids(anyone.as_("production"), "line=C&state=order_arrived") == []
    assert ids(anyone.as_("production"), "line=B&state=order_arrived&model=other") == []
    paid(anyone, first)
    decided(anyone.as_("production"), first["id"], "start_production", line="A")
    assert ids(anyone.as_("line-a"), "line=A") == [first["id"]]
    assert ids(anyone.as_("line-a"), "line=A&state=production_started") == [first["id"]]
    assert ids(anyone.as_("line-a"), "line=B") == []


def _only_builds(anyone: Client, line: str, models: list[str]) -> None:
    with anyone.system.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE lines SET models = :m WHERE id = :l"),
            {"m": str(models).replace("'", '"'), "l": line},
        )


def _another_car(anyone: Client) -> dict[str, Any]:
    model = anyone.get(f"{API}/catalogue").json()["models"][1]
    trim = model["trims"][0]["code"]
    colour = next(c["code"] for c in model["colours"] if not c["trims"] or trim in c["trims"])
    return {"model": model["code"], "trim": trim, "colour": colour, "options": []}


def test_orders_are_found_by_what_people_know_of_them(everywhere: Client) -> None:
    anyone = everywhere
    order = placed(anyone, customer={"name": "Ángela  García López", "email": "Angela.G@Example.com"})
    placed(anyone, customer={"name": "Bo Ek", "email": "bo@example.com"})
    brought(anyone, order, "production_started")
    vin = listed(anyone.as_("admin"), f"q={order['id']}")[0]["vin"]
    dealer = anyone.as_("dealer@northside")
    for q in (
        order["id"],
        order["id"].upper(),
        order["id"][-6:].upper(),
        f" #{order['id'][-6:]}",
        vin,
        vin.lower(),
        "ángela",
        "ANGELA garcía",
        "García",
        "lopez",
        "angela.g@ex",
        " Angela ",
    ):
        assert ids(dealer, f"q={quote(q)}") == [order["id"]], q
    for q in ("ngela", "%", "_", "'", "angela x", "ord_", order["id"][-5:], vin[:16]):
        assert ids(dealer, f"q={quote(q)}") == [], q
    assert ids(dealer, "q=lopez&state=order_placed") == []
    assert ids(anyone.as_("dealer@harbour"), f"q={order['id'][-6:]}") == []
    assert (
        ids(anyone.as_("production"), "q=angela.g@ex") == []
    )  # who may not see the address cannot search for it
    assert ids(anyone.as_("production"), "q=lopez") == [order["id"]]


def test_what_a_list_shows_is_what_the_order_shows(anyone: Client) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_check")
    for who in ("dealer@northside", "quality", "admin"):
        (item,) = listed(anyone.as_(who))
        whole = anyone.as_(who).get(f"{API}/orders/{order['id']}").json()
        assert whole.pop("history")
        assert item == whole


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=flying", "order_arrived"),
        ("sort=price", "placed_at"),
        ("sort=", "placed_at"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("cursor=garbage", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=WyJwbGFjZWRfYXQiLDEsIm9yZF8xIl0", "cursor"),  # of another sort
        (f"q={'x' * 201}", "q"),
    ],
)
def test_a_query_that_cannot_be_understood_is_400(anyone: Client, query: str, said: str) -> None:
    answer = anyone.as_("admin").get(f"{API}/orders?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


def test_orders_are_listed_for_accounts_only(anyone: Client) -> None:
    order = placed(anyone)
    assert anyone.get(f"{API}/orders").status_code == 401
    assert anyone.get(f"{API}/orders?key={order['key']}").status_code == 401


def test_a_page_of_many_orders_costs_a_few_statements(anyone: Client) -> None:
    for _ in range(12):
        anyone.place()
    anyone.system.process()
    statements: list[str] = []

    @sa.event.listens_for(anyone.system.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            statements.append(statement)

    production = anyone.as_("production")
    statements.clear()
    assert len(listed(production, "state=order_placed&limit=2")) == 2
    few = len(statements)
    statements.clear()
    assert len(listed(production, "state=order_placed&limit=12")) == 12
    of_login = 2  # the account and its memberships
    assert len(statements) == few <= 6 + of_login

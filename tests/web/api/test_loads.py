from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.application.orders import put_order
from tests.web.api.life import API, brought, decided, placed, seen
from tests.web.harness import Client


def passed(anyone: Client, **changes: Any) -> dict[str, Any]:
    order = placed(anyone, **changes)
    dealer = f"dealer@{changes.get('dealership', 'northside')}"
    brought(anyone, order, "quality_passed", dealer=dealer)
    return order


def test_a_load_is_made_changed_and_departs(everywhere: Client) -> None:
    anyone, delivery = everywhere, everywhere.as_("delivery")
    first, second, third = passed(anyone), passed(anyone, dealership="harbour"), passed(anyone)
    made = delivery.post(f"{API}/loads", {"orders": [second["id"], first["id"]], "carrier": "Sur"})
    assert made.status_code == 201
    load = made.json()
    assert made.headers["location"] == f"{API}/loads/{load['id']}"
    assert (load["status"], load["carrier"], load["orders"]) == (
        "open",
        "Sur",
        sorted([first["id"], second["id"]]),
    )
    assert seen(delivery, first["id"])["load"] == load["id"]

    shown = delivery.get(f"{API}/loads/{load['id']}").json()
    assert shown["orders"] == load["orders"]
    assert {(car["dealership"], car["state"], car["blocked"]) for car in shown["cars"]} == {
        ("northside", "quality_passed", None),
        ("harbour", "quality_passed", None),
    }
    assert all(len(car["vin"]) == 17 for car in shown["cars"])

    changed = delivery.http.put(
        f"{API}/loads/{load['id']}", json={"orders": [first["id"], third["id"]]}, headers=delivery.headers
    )
    assert changed.status_code == 200
    assert changed.json()["orders"] == sorted([first["id"], third["id"]])
    assert changed.json()["carrier"] is None
    assert seen(delivery, second["id"])["load"] is None

    gone = delivery.post(f"{API}/loads/{load['id']}/departure")
    assert gone.status_code == 202
    assert (gone.json()["status"], gone.json()["orders"]) == ("departed", sorted([first["id"], third["id"]]))
    anyone.system.process()
    assert seen(delivery, first["id"])["state"] == seen(delivery, third["id"])["state"] == "on_delivery"
    after = delivery.get(f"{API}/loads/{load['id']}").json()
    assert (after["status"], after["orders"]) == ("departed", gone.json()["orders"])
    assert after["departed_at"] is not None
    assert delivery.post(f"{API}/loads/{load['id']}/departure").status_code == 409
    again = delivery.http.put(f"{API}/loads/{load['id']}", json={"orders": []}, headers=delivery.headers)
    assert again.status_code == 409


def test_one_blocked_car_holds_the_whole_load_and_is_named(anyone: Client) -> None:
    delivery = anyone.as_("delivery")
    free, blocked = passed(anyone), passed(anyone)
    load = delivery.post(f"{API}/loads", {"orders": [free["id"], blocked["id"]]}).json()["id"]
    with (
        anyone.system.engine.begin() as connection
    ):  # as if its dealership asked for the price before delivery
        terms = '[{"before":"delivery","percent":100}]'
        asks = sa.update(t.orders).where(t.orders.c.id == blocked["id"]).values(terms=terms, paid=0)
        connection.execute(asks)
    shown = {car["order"]: car["blocked"] for car in delivery.get(f"{API}/loads/{load}").json()["cars"]}
    assert shown[free["id"]] is None
    assert "payment is missing" in shown[blocked["id"]]
    answer = delivery.post(f"{API}/loads/{load}/departure")
    assert answer.status_code == 409
    assert answer.json()["blocked"] == [{"order": blocked["id"], "reason": shown[blocked["id"]]}]
    anyone.system.process()
    assert seen(delivery, free["id"])["state"] == "quality_passed"


def test_only_cars_that_wait_for_a_load_go_on_one(anyone: Client) -> None:
    delivery = anyone.as_("delivery")
    waiting, early = passed(anyone), placed(anyone)
    assert delivery.post(f"{API}/loads", {"orders": [waiting["id"]]}).status_code == 201
    answer = delivery.post(f"{API}/loads", {"orders": [waiting["id"], early["id"]]})
    assert answer.status_code == 409
    assert {car["order"] for car in answer.json()["blocked"]} == {waiting["id"], early["id"]}
    assert len(delivery.get(f"{API}/loads").json()["items"]) == 1  # nothing half-happened


@pytest.mark.parametrize(
    ("form", "pointers"),
    [
        ({}, {"/orders"}),
        ({"orders": "ord_1"}, {"/orders"}),
        ({"orders": [1], "carrier": 2, "x": 3}, {"/orders/0", "/carrier", "/x"}),
        ({"orders": ["ord_a", "ord_a"]}, {"/orders/0", "/orders/1"}),
        ({"orders": ["ord_x"] * 501}, {"/orders"}),
    ],
)
def test_a_wrong_load_is_refused_with_every_fault(anyone: Client, form: Any, pointers: set[str]) -> None:
    answer = anyone.as_("delivery").post(f"{API}/loads", form)
    assert answer.status_code == 422, answer.text
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers


def test_an_empty_load_stays(anyone: Client) -> None:
    delivery = anyone.as_("delivery")
    load = delivery.post(f"{API}/loads", {"orders": []}).json()["id"]
    assert delivery.post(f"{API}/loads/{load}/departure").status_code == 409
    assert delivery.post(f"{API}/loads/lod_unknown/departure").status_code == 404
    assert delivery.get(f"{API}/loads/lod_unknown").status_code == 404


def test_loads_are_listed_newest_first_by_status(everywhere: Client) -> None:
    anyone, delivery = everywhere, everywhere.as_("delivery")
    order = passed(anyone)
    first = delivery.post(f"{API}/loads", {"orders": [order["id"]]}).json()["id"]
    delivery.post(f"{API}/loads/{first}/departure")
    second, third = (delivery.post(f"{API}/loads", {"orders": []}).json()["id"] for _ in range(2))

    def listed(query: str = "") -> list[str]:
        return [load["id"] for load in delivery.get(f"{API}/loads?{query}").json()["items"]]

    assert listed() == [third, second, first]
    assert listed("status=open") == [third, second]
    assert listed("status=departed") == [first]
    assert delivery.get(f"{API}/loads?status=lost").status_code == 400
    page = delivery.get(f"{API}/loads?limit=2").json()
    assert [load["id"] for load in page["items"]] == [third, second]
    assert listed(f"limit=2&cursor={page['next']}") == [first]


def test_loads_are_the_delivery_lead_s(anyone: Client) -> None:
    load = anyone.as_("delivery").post(f"{API}/loads", {"orders": []}).json()["id"]
    calls = [
        ("GET", f"{API}/loads"),
        ("GET", f"{API}/loads/{load}"),
        ("POST", f"{API}/loads"),
        ("PUT", f"{API}/loads/{load}"),
        ("POST", f"{API}/loads/{load}/departure"),
    ]
    for method, path in calls:
        for who, status in (("dealer@northside", 403), ("production", 403), ("head1", 403), (None, 401)):
            caller = anyone.as_(who)
            answer = caller.http.request(method, path, json={"orders": []}, headers=caller.headers)
            assert answer.status_code == status, (method, path, who)
    assert anyone.as_("admin").get(f"{API}/loads/{load}").status_code == 200
    assert anyone.as_("admin").post(f"{API}/loads", {"orders": []}).status_code == 403


def test_a_load_made_twice_with_one_key_is_made_once(anyone: Client) -> None:
    delivery = anyone.as_("delivery")
    first = delivery.post(f"{API}/loads", {"orders": []}, idempotency_key="a")
    again = delivery.post(f"{API}/loads", {"orders": []}, idempotency_key="a")
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"]
    assert len(delivery.get(f"{API}/loads").json()["items"]) == 1


def test_a_rejected_car_comes_off_its_load(anyone: Client) -> None:
    delivery = anyone.as_("delivery")
    order = passed(anyone)
    load = delivery.post(f"{API}/loads", {"orders": [order["id"]]}).json()["id"]
    with anyone.system.database.begin() as work:
        put_order(work, order["id"], "quality_check", by="admin", reason="a noise was heard", line="A")
    assert delivery.get(f"{API}/loads/{load}").json()["orders"] == []
    decided(anyone.as_("quality"), order["id"], "pass")
    assert seen(delivery, order["id"])["load"] is None

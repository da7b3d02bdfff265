from __future__ import annotations

from tests.web.api.life import API, brought, decided, departed, paid, placed, seen
from tests.web.harness import Client


def test_a_car_goes_from_the_order_to_its_keys(everywhere: Client) -> None:
    anyone, dealer = everywhere, everywhere.as_("dealer@northside")
    order = placed(anyone)
    assert seen(dealer, order["id"])["state"] == "order_placed"
    decided(dealer, order["id"], "accept")
    payment = paid(anyone, order)
    assert payment["status"] == "received"
    assert payment["amount"] == order["price"]
    decided(anyone.as_("production"), order["id"], "start_production", line="A")
    started = seen(anyone.as_("line-a"), order["id"])
    assert started["line"] == "A"
    assert len(started["vin"]) == 17
    decided(anyone.as_("line-a"), order["id"], "finish")
    decided(anyone.as_("quality"), order["id"], "fail", defects=["paint", "noise"], note="left door")
    decided(anyone.as_("line-a"), order["id"], "rework")
    decided(anyone.as_("line-a"), order["id"], "finish")
    decided(anyone.as_("quality"), order["id"], "pass")
    departed(anyone, order["id"])
    decided(dealer, order["id"], "receive", condition="ok")
    decided(dealer, order["id"], "hand_over")

    ended = seen(dealer, order["id"])
    assert (ended["state"], ended["state_title"]) == ("ended", "Handed over")
    assert ended["vin"] == started["vin"]
    assert ended["failures"] == 1
    assert ended["outcomes"] == []
    assert ended["payment"]["paid"] is True
    assert ended["payment"]["due"] is None
    assert [item["state"] for item in ended["history"] if item["state"]] == [
        "order_placed",
        "order_arrived",
        "production_started",
        "quality_check",
        "quality_failed",
        "production_started",
        "quality_check",
        "quality_passed",
        "on_delivery",
        "at_dealership",
        "ended",
    ]


def test_every_number_of_the_factory_is_right_after_a_few_cars(everywhere: Client) -> None:
    anyone = everywhere
    first, second = placed(anyone), placed(anyone)
    for order in (first, second):
        brought(anyone, order, "quality_check")
    anyone.system.clock.pass_ms(60_000)
    decided(anyone.as_("quality"), first["id"], "pass")
    decided(anyone.as_("quality"), second["id"], "fail", defects=["gap"])
    decided(anyone.as_("line-a"), second["id"], "rebuild")
    placed(anyone)

    found = anyone.as_("head1").get(f"{API}/figures").json()
    states = {state["state"]: state for state in found["states"]}
    assert found["orders"] == 3
    assert {name: states[name]["orders"] for name in states if states[name]["orders"]} == {
        "order_placed": 1,
        "order_arrived": 1,
        "quality_passed": 1,
    }
    assert states["quality_check"]["median_s"] == 60
    assert states["quality_check"]["p95_s"] == 60
    assert states["quality_check"]["sample"] == 2
    assert states["ended"]["median_s"] is None
    assert found["first_pass"] == {"checked": 2, "passed": 1, "share": 0.5}
    assert found["defects"][0] == {"code": "gap", "title": "Panel gap", "count": 1}
    assert [(line["id"], line["taken"], line["waiting"]) for line in found["lines"]] == [
        ("A", 0, 1),
        ("B", 0, 1),
    ]

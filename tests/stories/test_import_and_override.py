"""Orders that come from elsewhere, and an administrator's hand."""

from __future__ import annotations

from tests.stories.driver import Dealerflow, refusal
from tests.stories.open_orders import VINS, imported, open_order
from tests.stories.usual_way import take

OPEN_ORDERS = [
    open_order("old-1", "northside", "order_arrived", placed_at="2026-01-31"),
    open_order("old-2", "northside", "production_started", vin=VINS[0], line="A", paid=3255000),
    open_order("old-3", "harbour", "quality_passed", vin=VINS[1], paid=3255000),
    open_order("old-4", "lakeside", "at_dealership", vin=VINS[2], paid=651000),
]


def test_open_orders_are_brought_in_without_a_mail_and_live_on_to_their_keys(dealerflow: Dealerflow) -> None:
    assert "4 orders would be imported" in dealerflow.imports(OPEN_ORDERS, "--dry-run")
    assert dealerflow.head.lists("/orders") == []

    dealerflow.imports(OPEN_ORDERS)
    dealerflow.settles()
    orders = imported(dealerflow)
    assert {reference: order.state for reference, order in orders.items()} == {
        one["reference"]: one["state"] for one in OPEN_ORDERS
    }
    assert [orders[f"old-{number}"].vin for number in (1, 2, 3, 4)] == [None, *VINS]
    assert dealerflow.mails() == []
    assert orders["old-1"].now["placed_at"] == "2026-01-31T00:00:00.000Z"
    places = {line["id"]: line["taken"] for line in dealerflow.production.lists("/lines")}
    assert places == {"A": 1, "B": 0}
    assert orders["old-2"].now["payment"]["paid"]
    assert orders["old-2"].now["invoice"]["status"] == "none", "its invoice was written elsewhere"

    take(dealerflow, "ended", *orders.values(), line="B")
    assert orders["old-4"].now["invoice"]["number"].endswith("000001"), "the balance is paid here"
    templates = [template for template, _ in dealerflow.letters(orders["old-2"])]
    assert templates == ["order_on_its_way", "order_ready", "order_thanks"]
    assert orders["old-2"].vin == VINS[0]


def test_a_file_with_a_fault_brings_in_nothing_and_each_fault_is_named(dealerflow: Dealerflow) -> None:
    wrong = [
        OPEN_ORDERS[1],
        open_order("old-5", "southside", "order_arrived"),
        open_order("old-6", "northside", "production_started", vin="SHORT", line="Z"),
        open_order("old-7", "northside", "ended"),
        open_order("old-8", "northside", "quality_check", vin=VINS[0], line="A"),
    ]
    told = dealerflow.imports(wrong, fails=True)
    for place in ("/1/dealership", "/2/vin", "/2/line", "/3/state", "/4/vin"):
        assert place in told
    assert dealerflow.head.lists("/orders") == []

    dealerflow.imports(OPEN_ORDERS)
    again = dealerflow.imports(OPEN_ORDERS, fails=True)
    assert "brought in before" in again
    assert len(dealerflow.head.lists("/orders")) == len(OPEN_ORDERS)


def test_an_administrator_puts_an_order_in_a_state_on_record(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "quality_check", order)
    dealerflow.quality.decides(order, "fail", defects=["paint"])
    step = order.reaches("quality_failed").step
    vin = order.vin

    dealerflow.places(order, "quality_passed", reason="the defect was dust on the lens")
    order.reaches("quality_passed")
    put = [entry for entry in order.for_staff["history"] if entry["state"]][-1]
    assert put["type"] == "OrderPut"
    assert put["outcome"] is None
    assert put["details"]["reason"] == "the defect was dust on the lens"
    assert put["details"]["from"] == "quality_failed"
    seen = order.now["history"][-1]
    assert (seen["state"], seen["by"], seen["details"]) == ("quality_passed", "factory", {})
    stale = dealerflow.line_lead("A").tries(order, "rework", step=step)
    assert "the order is now in “quality_passed”" in refusal(stale, 409)
    assert {line["id"]: line["taken"] for line in dealerflow.production.lists("/lines")} == {"A": 0, "B": 0}
    assert order.vin == vin
    announced = [event["type"] for event in dealerflow.events(order)]
    assert announced.count("CarAnnounced") == 1, "the state's actions were done"
    take(dealerflow, "ended", order)


def test_a_silent_override_tells_nobody(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "on_delivery", order)
    before = dealerflow.letters(order)
    dealerflow.places(order, "at_dealership", "--silent", reason="the dealer's scanner is broken")
    order.reaches("at_dealership")
    assert dealerflow.letters(order) == before
    refused = dealerflow.installation.command(
        "orders", "place", order.id, "nowhere", "--reason", "?", fails=True
    )
    assert "nowhere" in refused
    assert order.state == "at_dealership"

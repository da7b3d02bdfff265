from __future__ import annotations

from tests.stories.driver import Dealerflow, Order, plain_text, refusal
from tests.stories.open_orders import VINS, imported, open_order
from tests.stories.usual_way import take


def test_a_load_for_two_dealerships_gives_each_its_own_note(dealerflow: Dealerflow) -> None:
    northside = [dealerflow.customer.orders("northside", colour=c) for c in ("deep-blue", "ruby-red")]
    bea = dealerflow.new_customer("Bea Flint", "bea@example.com")
    harbour = [bea.orders("harbour", colour="pearl-white")]
    take(dealerflow, "quality_passed", *northside, *harbour)
    load = dealerflow.delivery.loads(*northside, *harbour, carrier="Two Coasts Ltd")
    dealerflow.delivery.sends_off(load)
    for order in (*northside, *harbour):
        order.reaches("on_delivery")

    for dealership, orders in (("northside", northside), ("harbour", harbour)):
        (note,) = dealerflow.dealer(dealership).lists("/delivery-notes")
        assert (note["load"], note["dealership"]) == (load, dealership)
        assert {car["order"]: car["vin"] for car in note["cars"]} == {order.id: order.vin for order in orders}
        mails = [mail for mail in dealerflow.mails() if mail["template"] == "delivery_note"]
        (told,) = [mail for mail in mails if mail["to"] == f"dealer@{dealership}.example"]
        printed = dealerflow.dealer(dealership).pdf(f"/delivery-notes/{note['id']}")
        for order in (*northside, *harbour):
            own = order in orders
            assert (str(order.vin) in printed) is own
            assert (str(order.vin) in plain_text(dealerflow.as_it_left(told))) is own
    assert len(dealerflow.delivery.lists("/delivery-notes", load=load)) == 2
    hidden = dealerflow.dealer("northside").asks(
        "GET", f"/delivery-notes/{dealerflow.dealer('harbour').lists('/delivery-notes')[0]['id']}"
    )
    assert hidden.status_code == 404


def test_one_blocked_car_keeps_the_whole_load_in_the_yard(dealerflow: Dealerflow) -> None:
    ready = dealerflow.customer.orders("northside")
    take(dealerflow, "quality_passed", ready)
    dealerflow.imports([open_order("old-1", "northside", "quality_passed", vin=VINS[0])])
    unpaid = imported(dealerflow)["old-1"]
    load = dealerflow.delivery.loads(ready, unpaid)

    stays = dealerflow.delivery.asks("POST", f"/loads/{load}/departure")
    assert "payment is missing" in refusal(stays, 409)
    (blocked,) = stays.json()["blocked"]
    assert blocked["order"] == unpaid.id
    assert "32 550.00 EUR is due before delivery" in blocked["reason"]
    dealerflow.settles()
    assert _states(ready, unpaid) == ["quality_passed", "quality_passed"]
    assert dealerflow.delivery.lists("/delivery-notes") == []

    unpaid.customer.pays(unpaid)
    unpaid.is_paid()
    dealerflow.delivery.sends_off(load)
    ready.reaches("on_delivery")
    unpaid.reaches("on_delivery")
    (note,) = dealerflow.delivery.lists("/delivery-notes")
    assert {car["order"]: car["vin"] for car in note["cars"]} == {ready.id: ready.vin, unpaid.id: VINS[0]}


def test_a_car_is_on_one_load_at_a_time_and_leaves_once(dealerflow: Dealerflow) -> None:
    order, other = dealerflow.customer.orders("northside"), dealerflow.customer.orders("harbour")
    take(dealerflow, "quality_passed", order)
    other.reaches("order_placed")
    load = dealerflow.delivery.loads(order)
    for orders, why in (([order], f"it is on load {load}"), ([other], "it is in “order_placed”")):
        form = {"orders": [one.id for one in orders]}
        refused = dealerflow.delivery.asks("POST", "/loads", json=form)
        assert why in refusal(refused, 409)
    dealerflow.delivery.sends_off(load)
    again = dealerflow.delivery.asks("POST", f"/loads/{load}/departure")
    assert "has departed" in refusal(again, 409)
    order.reaches("on_delivery")


def _states(*orders: Order) -> list[str]:
    return [order.state for order in orders]

"""What is not allowed is refused, with the reason, and changes nothing."""

from __future__ import annotations

import re

from tests.stories.driver import Dealerflow, faults_of, refusal
from tests.stories.usual_way import take

PLACES = 10


def test_the_eleventh_car_on_a_line_is_refused_until_one_leaves_it(dealerflow: Dealerflow) -> None:
    orders = [dealerflow.customer.orders("northside") for _ in range(PLACES + 1)]
    *ten, eleventh = orders
    take(dealerflow, "production_started", *ten, line="A")
    take(dealerflow, "order_arrived", eleventh)
    dealerflow.customer.pays(eleventh)
    eleventh.is_paid()

    full = dealerflow.production.tries(eleventh, "start_production", line="A")
    assert "line A is full: all of its 10 places are taken" in refusal(full, 409)
    (line_a,) = [line for line in dealerflow.production.lists("/lines") if line["id"] == "A"]
    assert (line_a["taken"], line_a["waiting"]) == (10, 1)

    # A car keeps its place through its check, so that rework always fits.
    dealerflow.line_lead("A").decides(ten[0], "finish")
    ten[0].reaches("quality_check")
    assert refusal(dealerflow.production.tries(eleventh, "start_production", line="A"), 409)
    dealerflow.quality.decides(ten[0], "pass")
    ten[0].reaches("quality_passed")
    dealerflow.production.decides(eleventh, "start_production", line="A")
    eleventh.reaches("production_started")


def test_only_who_decides_here_is_heard_and_only_about_the_present_step(dealerflow: Dealerflow) -> None:
    northside = dealerflow.dealer("northside")
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    first_step = order.step

    for person in (
        dealerflow.production,
        dealerflow.quality,
        dealerflow.head,
        dealerflow.operator,
        dealerflow.admin,
    ):
        assert refusal(person.tries(order, "accept"), 403), person.name
        assert person.sees(order)["outcomes"] == [], person.name
    for stranger in (dealerflow.dealer("harbour"), dealerflow.new_customer("Eve", "eve@example.com")):
        answer = stranger.tries(order, "accept")
        assert answer.status_code in {401, 404}, stranger.name
    assert dealerflow.dealer("harbour").asks("GET", f"/orders/{order.id}").status_code == 404
    assert dealerflow.dealer("harbour").lists("/orders") == []
    assert dealerflow.anybody.asks("GET", f"/orders/{order.id}").status_code == 401
    assert dealerflow.anybody.asks("GET", f"/orders/{order.id}?key=0.wrong").status_code == 404

    assert refusal(northside.tries(order, "accept", step="stp_unknown"), 409)
    assert faults_of(northside.tries(order, "start_production", line="A"))
    assert faults_of(northside.tries(order, "explode"))
    assert "/details/reason" in faults_of(northside.tries(order, "decline"))
    assert "/details/colour" in faults_of(northside.tries(order, "decline", reason="no", colour="red"))
    assert "/details/reason" in faults_of(northside.tries(order, "decline", reason=7))

    northside.decides(order, "accept")
    twice = northside.tries(order, "accept", step=first_step)
    # Or it is carried out already: where workers run beside this story nobody knows who is quicker.
    assert re.search("was decided already|this step is over", refusal(twice, 409))
    order.reaches("order_arrived")
    stale = northside.tries(order, "decline", step=first_step, reason="too late")
    assert "the order is now in “order_arrived”" in refusal(stale, 409)
    assert order.state == "order_arrived"
    assert "/details/line" in faults_of(dealerflow.production.tries(order, "start_production", line="Z"))


def test_a_line_lead_decides_only_for_the_own_line(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "production_started", order, line="B")
    assert refusal(dealerflow.line_lead("A").tries(order, "finish"), 403)
    dealerflow.line_lead("B").decides(order, "finish")
    order.reaches("quality_check")
    for details, pointer in (
        ({}, "/details/defects"),
        ({"defects": []}, "/details/defects"),
        ({"defects": ["rust"]}, "/details/defects/0"),
    ):
        assert pointer in faults_of(dealerflow.quality.tries(order, "fail", **details))
    assert order.for_staff["failures"] == 0


def test_a_car_leaves_only_with_a_load(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "quality_passed", order)
    refused = dealerflow.delivery.tries(order, "load")
    assert "by the departure of a load" in refusal(refused, 409)
    for person in (dealerflow.dealer("northside"), dealerflow.production):
        assert person.asks("POST", "/loads", json={"orders": [order.id]}).status_code == 403
    unknown = dealerflow.delivery.asks("POST", "/loads", json={"orders": ["ord_unknown", order.id, order.id]})
    assert set(faults_of(unknown)) == {"/orders/0", "/orders/2"}
    assert order.for_staff["load"] is None


def test_an_order_form_is_told_all_its_faults_at_once(dealerflow: Dealerflow) -> None:
    form = dealerflow.customer.form_for("southside", trim="luxury", options=["tow-bar", "wings"])
    form["customer"] = {"name": " ", "email": "nobody", "shoe_size": 44}
    assert set(faults_of(dealerflow.anybody.asks("POST", "/orders", json=form))) == {
        "/dealership",
        "/customer/name",
        "/customer/email",
        "/customer/shoe_size",
        "/vehicle/trim",
        "/vehicle/options/1",
    }
    broken = dealerflow.anybody.asks("POST", "/orders", content=b"{")
    assert refusal(broken, 400)
    dear = dealerflow.customer.form_for("northside")
    dear["expected_price"] = {"amount": 1, "currency": "EUR"}
    changed = dealerflow.anybody.asks("POST", "/orders", json=dear)
    assert refusal(changed, 409)
    assert changed.json()["price"] == {"amount": 3255000, "currency": "EUR"}
    dealerflow.settles()
    assert dealerflow.admin.lists("/orders") == []

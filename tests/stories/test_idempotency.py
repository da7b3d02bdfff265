"""The same call twice, with one Idempotency-Key, does what it asks for once."""

from __future__ import annotations

from tests.stories.driver import Dealerflow, Person, refusal
from tests.stories.usual_way import take


def test_an_order_that_is_sent_twice_is_taken_once(dealerflow: Dealerflow) -> None:
    form = dealerflow.customer.form_for("northside")
    headers = {"Idempotency-Key": "order-1"}
    first = dealerflow.anybody.asks("POST", "/orders", json=form, headers=headers)
    again = dealerflow.anybody.asks("POST", "/orders", json=form, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"

    other = dealerflow.customer.form_for("harbour")
    reused = dealerflow.anybody.asks("POST", "/orders", json=other, headers=headers)
    assert reused.status_code == 422
    dealerflow.settles()
    assert len(dealerflow.admin.lists("/orders")) == 1
    late = dealerflow.anybody.asks("POST", "/orders", json=form, headers=headers)
    assert late.json() == first.json(), "also when it was processed long ago"


def test_a_decision_and_a_payment_that_are_sent_twice_happen_once(dealerflow: Dealerflow) -> None:
    northside, customer = dealerflow.dealer("northside"), dealerflow.customer
    order = customer.orders("northside").reaches("order_placed")
    decision = {"outcome": "accept", "step": order.step, "details": {}}
    _twice(northside, f"/orders/{order.id}/decisions", decision, {**decision, "outcome": "cancel"})
    order.reaches("order_arrived")

    payment = {"method": "test_card"}
    other = {**payment, "amount": {"amount": order.price, "currency": "EUR"}}
    _twice(customer, f"/orders/{order.id}/payments", payment, other)
    order.is_paid()
    assert len(order.now["payment"]["payments"]) == 1

    take(dealerflow, "quality_passed", order)
    _twice(dealerflow.delivery, "/loads", {"orders": [order.id]}, {"orders": []})
    assert len(dealerflow.delivery.lists("/loads")) == 1


def _twice(person: Person, path: str, body: object, other: object) -> None:
    headers = {"Idempotency-Key": "once"}
    first = person.asks("POST", path, json=body, headers=headers)
    assert first.is_success, first.text
    again = person.asks("POST", path, json=body, headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert refusal(person.asks("POST", path, json=other, headers=headers), 422)

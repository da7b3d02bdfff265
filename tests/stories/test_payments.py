from __future__ import annotations

import re

from tests.stories.driver import Dealerflow, refusal
from tests.stories.usual_way import take


def test_a_deposit_opens_production_and_the_balance_opens_the_handover(dealerflow: Dealerflow) -> None:
    lakeside, customer = dealerflow.dealer("lakeside"), dealerflow.customer
    order = customer.orders("lakeside").reaches("order_placed")
    assert order.price == 3255000
    take(dealerflow, "order_arrived", order)

    blocked = dealerflow.production.tries(order, "start_production", line="A")
    assert "payment is missing: 6 510.00 EUR is due before production" in refusal(blocked, 409)
    assert order.now["payment"]["due"] == {
        "amount": {"amount": 651000, "currency": "EUR"},
        "before": "production",
    }
    customer.pays(order)
    order.is_paid()
    deposit = customer.pdf(f"/orders/{order.id}/invoice")

    take(dealerflow, "at_dealership", order)
    blocked = lakeside.tries(order, "hand_over")
    assert "payment is missing: 26 040.00 EUR is due before handover" in refusal(blocked, 409)
    lakeside.pays(order)
    order.is_paid()
    assert order.now["payment"]["paid"]
    assert order.now["payment"]["due"] is None
    lakeside.decides(order, "hand_over")
    order.reaches("ended")

    documents = customer.lists(f"/orders/{order.id}/documents")
    assert sorted(document["number"][-6:] for document in documents) == ["000001", "000002"]
    assert sorted(document["total"]["amount"] for document in documents) == [651000, 2604000]
    balance = customer.pdf(f"/orders/{order.id}/invoice")
    assert "6,510.00" in deposit
    assert "26,040.00" in balance
    for text in (deposit, balance):
        assert re.search(r"LAKESIDE-\d{4}-00000[12]", text)
        assert "Lakeside Automobile GmbH" in text
        assert "19" in text
    assert [template for template, _ in dealerflow.letters(order)].count("invoice") == 2


def test_a_payment_that_is_not_due_or_already_under_way_is_refused(dealerflow: Dealerflow) -> None:
    customer = dealerflow.customer
    order = customer.orders("northside").reaches("order_placed")
    payments = f"/orders/{order.id}/payments"
    too_early = customer.asks("POST", payments, json={"method": "test_card"})
    assert "nothing can be paid" in refusal(too_early, 409)

    take(dealerflow, "order_arrived", order)
    for amount, currency in ((1, "EUR"), (order.price, "USD")):
        form = {"method": "test_card", "amount": {"amount": amount, "currency": currency}}
        assert refusal(customer.asks("POST", payments, json=form), 422)
    with dealerflow.installation.without_workers_for("payments"):
        customer.pays(order)
        double = customer.asks("POST", payments, json={"method": "test_card"})
        assert "is being processed" in refusal(double, 409)
        assert order.now["payment"]["status"] == "received"
    order.is_paid()
    once_more = customer.asks("POST", payments, json={"method": "test_card"})
    assert "the order is paid" in refusal(once_more, 409)
    assert len(customer.lists(f"/orders/{order.id}/documents")) == 1


def test_after_a_declined_card_the_customer_pays_again(dealerflow: Dealerflow) -> None:
    customer = dealerflow.customer
    order = customer.orders("northside").reaches("order_placed")
    take(dealerflow, "order_arrived", order)
    with dealerflow.installation.cards_declined():
        customer.pays(order)
        dealerflow.settles()
    assert order.now["payment"]["status"] == "declined"
    assert order.now["invoice"]["status"] == "none"
    assert order.now["payment"]["payments"][0]["reason"] == "the card was declined"
    blocked = dealerflow.production.tries(order, "start_production", line="A")
    assert "payment is missing" in refusal(blocked, 409)

    customer.pays(order)
    order.is_paid()
    assert [payment["status"] for payment in order.now["payment"]["payments"]] == ["declined", "paid"]
    assert order.now["invoice"]["number"].endswith("000001")


def test_a_payment_that_arrives_after_the_cancellation_is_given_back(dealerflow: Dealerflow) -> None:
    customer = dealerflow.customer
    order = customer.orders("northside").reaches("order_placed")
    take(dealerflow, "order_arrived", order)
    with dealerflow.installation.without_workers_for("payments"):
        customer.pays(order)
        customer.decides(order, "cancel")
        dealerflow.until(lambda: order.state == "cancelled", "the order is cancelled")
    dealerflow.settles()
    assert order.now["payment"]["status"] == "refund_requested"
    assert order.now["invoice"]["status"] == "issued"
    assert ("refund_requested", "dealer@northside.example") in dealerflow.letters(order)

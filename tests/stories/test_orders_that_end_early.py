from __future__ import annotations

from tests.stories.driver import Dealerflow, attachments, plain_text, refusal
from tests.stories.usual_way import take


def test_a_declined_order_ends_with_a_mail_that_gives_the_reason(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("harbour").reaches("order_placed")
    dealerflow.dealer("harbour").decides(order, "decline", reason="We close for good in May.")
    order.reaches("declined")

    assert ("order_declined", "ana@example.com") in dealerflow.letters(order)
    assert "We close for good in May." in plain_text(dealerflow.letter(order, "order_declined"))
    last = order.now["history"][-1]
    assert (last["state"], last["outcome"], last["by"]) == ("declined", "decline", "dealership")
    assert last["details"] == {"reason": "We close for good in May."}
    pays = dealerflow.customer.asks("POST", f"/orders/{order.id}/payments", json={"method": "test_card"})
    assert "nothing can be paid" in refusal(pays, 409)
    assert order.now["outcomes"] == []


def test_an_order_cancelled_after_its_payment_is_refunded_and_credited(dealerflow: Dealerflow) -> None:
    northside, customer = dealerflow.dealer("northside"), dealerflow.customer
    order = customer.orders("northside").reaches("order_placed")
    take(dealerflow, "order_arrived", order)
    payment = customer.pays(order)
    order.is_paid()
    invoice = order.now["invoice"]["number"]

    customer.decides(order, "cancel", reason="We are moving.")
    order.reaches("cancelled")
    assert order.now["payment"]["status"] == "refund_requested"
    asked = dealerflow.letter(order, "refund_requested")
    assert asked["To"] == "dealer@northside.example"
    assert "32,550.00" in plain_text(asked)

    northside.sends(f"/payments/{payment['id']}/refund", {"reference": "BANK-77"})
    dealerflow.settles()
    assert order.now["payment"]["status"] == "refunded"
    kinds = {document["kind"]: document for document in customer.lists(f"/orders/{order.id}/documents")}
    assert set(kinds) == {"invoice", "credit_note"}
    credit = customer.pdf(f"/documents/{kinds['credit_note']['id']}", key=order.key)
    for words in ("Credit note", kinds["credit_note"]["number"], invoice, "-€32,550.00"):
        assert words in credit
    assert list(attachments(dealerflow.letter(order, "credit_note")).values()) == [credit]
    again = northside.asks("POST", f"/payments/{payment['id']}/refund", json={})
    assert "no refund is asked for" in refusal(again, 409)


def test_an_order_is_not_cancelled_once_its_car_is_being_built(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "production_started", order)
    refused = dealerflow.customer.tries(order, "cancel")
    assert refusal(refused, 403)
    assert order.state == "production_started"

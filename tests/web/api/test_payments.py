from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dealerflow.domain.people import Membership
from tests.web.api.life import API, decided, paid, placed, seen
from tests.web.harness import Client

CARD = {"method": "test_card"}


def arrived(anyone: Client, **changes: Any) -> dict[str, Any]:
    order = placed(anyone, **changes)
    decided(anyone.as_("dealer@northside"), order["id"], "accept")
    return order


def test_a_payment_is_received_then_recorded_then_invoiced(anyone: Client) -> None:
    order = arrived(anyone)
    answer = anyone.post(f"{API}/orders/{order['id']}/payments?key={order['key']}", CARD)
    assert answer.status_code == 202
    payment = answer.json()
    assert payment["id"].startswith("pay_")
    assert payment == {
        "id": payment["id"],
        "order": order["id"],
        "status": "received",
        "amount": order["price"],
        "before": "production",
    }
    second = anyone.post(f"{API}/orders/{order['id']}/payments?key={order['key']}", CARD)
    assert second.status_code == 409  # one is being processed
    anyone.system.process()
    shown = seen(anyone.as_("dealer@northside"), order["id"])
    assert shown["payment"]["payments"][0]["id"] == payment["id"]
    assert shown["invoice"]["number"] == "NORTHSIDE-2026-000001"
    third = anyone.as_("dealer@northside").post(f"{API}/orders/{order['id']}/payments", CARD)
    assert (third.status_code, third.json()["detail"]) == (409, "nothing is due: the order is paid")


def test_who_may_pay(anyone: Client) -> None:
    order = arrived(anyone)
    path = f"{API}/orders/{order['id']}/payments"
    assert anyone.post(path, CARD).status_code == 401
    assert anyone.post(f"{path}?key=0.wrong", CARD).status_code == 404
    assert anyone.as_("dealer@harbour").post(path, CARD).status_code == 404
    for who in ("production", "admin", "operator", "head1", "delivery"):
        assert anyone.as_(who).post(path, CARD).status_code == 403, who
    assert anyone.as_("dealer@northside").post(path, CARD).status_code == 202


def test_when_it_may_be_paid(anyone: Client) -> None:
    order = placed(anyone)
    path = f"{API}/orders/{order['id']}/payments?key={order['key']}"
    assert anyone.post(path, CARD).status_code == 409
    decided(anyone.as_("dealer@northside"), order["id"], "cancel")
    assert anyone.post(path, CARD).status_code == 409


@pytest.mark.parametrize(
    ("form", "pointers"),
    [
        ({}, {"/method"}),
        ({"method": "cash"}, {"/method"}),
        ({"method": "test_card", "amount": 5}, {"/amount"}),
        ({"method": "test_card", "amount": {"amount": 1, "currency": "EUR"}}, {"/amount"}),
        (
            {"method": "test_card", "amount": {"amount": "1", "currency": 2}},
            {"/amount/amount", "/amount/currency"},
        ),
        ({"method": "test_card", "tip": 1}, {"/tip"}),
    ],
)
def test_a_payment_that_is_not_due_is_refused(anyone: Client, form: Any, pointers: set[str]) -> None:
    order = arrived(anyone)
    answer = anyone.post(f"{API}/orders/{order['id']}/payments?key={order['key']}", form)
    assert answer.status_code == 422, answer.text
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers


def test_the_amount_may_be_named_if_it_is_the_one_that_is_due(anyone: Client) -> None:
    order = arrived(anyone)
    form = {**CARD, "amount": order["price"]}
    path = f"{API}/orders/{order['id']}/payments?key={order['key']}"
    first = anyone.post(path, form, idempotency_key="pay once")
    again = anyone.post(path, form, idempotency_key="pay once")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_refund_is_recorded_once_and_gives_a_credit_note(anyone: Client) -> None:
    order = arrived(anyone)
    payment = paid(anyone, order)
    path = f"{API}/payments/{payment['id']}/refund"
    dealer = anyone.as_("dealer@northside")
    assert dealer.post(path, {}).status_code == 409  # nobody asked for it
    decided(dealer, order["id"], "cancel")
    assert anyone.post(path, {}).status_code == 401
    assert anyone.as_("production").post(path, {}).status_code == 403
    assert anyone.as_("dealer@harbour").post(path, {}).status_code == 404
    assert dealer.post(f"{API}/payments/pay_unknown/refund", {}).status_code == 404
    assert dealer.post(path, {"reference": 1, "x": 2}).status_code == 422
    answer = dealer.post(path)
    assert (answer.status_code, answer.json()["status"]) == (202, "refunded")
    assert dealer.post(path).status_code == 409
    anyone.system.process()
    documents = dealer.get(f"{API}/orders/{order['id']}/documents").json()["items"]
    assert [(one["kind"], one["total"]["amount"]) for one in documents] == [
        ("invoice", order["price"]["amount"]),
        ("credit_note", -order["price"]["amount"]),
    ]


def test_a_dealer_of_every_dealership_takes_payments_as_the_own_dealers_do(anyone: Client) -> None:
    order = arrived(anyone)
    with anyone.system.database.begin() as work:
        account = next(a for a in work.reference.accounts() if a.email == "dealer@harbour.example")
        everywhere = (Membership(role="dealer"),)
        work.reference.put_account(replace(account, memberships=everywhere), None)
    answer = anyone.as_("dealer@harbour").post(f"{API}/orders/{order['id']}/payments", CARD)
    assert answer.status_code == 202, answer.text

"""The life of an order on the real database, without HTTP: what each move changes, sends and refuses."""

from __future__ import annotations

import pytest

from dealerflow.adapters.database import tables as t
from dealerflow.application import queues
from dealerflow.application.orders import put_order
from dealerflow.application.refunds import record_refund
from dealerflow.application.shipping import LoadForm, depart, make_load
from dealerflow.domain.billing import Term
from dealerflow.domain.errors import Conflict, Forbidden, Invalid, NotFound
from dealerflow.domain.people import Caller
from dealerflow.domain.vehicles import has_right_check_digit
from tests.unit.application.conftest import (
    DEALER,
    DELIVERY,
    LINE,
    PRICE,
    PRODUCTION,
    QUALITY,
    Dealerflow,
    staff,
)


def in_production(dealerflow: Dealerflow, line: str = "A") -> str:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    dealerflow.decide(PRODUCTION, id_, "start_production", line=line)
    return id_


def passed(dealerflow: Dealerflow) -> str:
    id_ = in_production(dealerflow)
    dealerflow.decide(LINE, id_, "finish")
    dealerflow.decide(QUALITY, id_, "pass")
    return id_


def test_an_order_goes_from_the_page_to_the_keys(dealerflow: Dealerflow) -> None:
    id_ = in_production(dealerflow)
    dealerflow.decide(LINE, id_, "finish")
    failed = dealerflow.decide(QUALITY, id_, "fail", defects=["paint", "gap"], note="left door")
    assert (failed.state, failed.failures) == ("quality_failed", 1)
    dealerflow.decide(LINE, id_, "rework")
    dealerflow.decide(LINE, id_, "finish")
    dealerflow.decide(QUALITY, id_, "pass")
    with dealerflow.database.begin() as work:
        load = make_load(work, DELIVERY, LoadForm(orders=(id_,), carrier="Truckers"))
    with dealerflow.database.begin() as work:
        depart(work, DELIVERY, load.id)
    dealerflow.drain()
    assert dealerflow.order(id_).state == "on_delivery"
    dealerflow.decide(DEALER, id_, "receive", condition="ok")
    ended = dealerflow.decide(DEALER, id_, "hand_over")

    assert ended.state == "ended"
    assert dealerflow.mails_of(id_) == [
        "new_order", "order_placed", "order_accepted", "invoice", "order_in_production", "quality_failed", "quality_failed",
        "order_on_its_way", "order_ready", "order_thanks",
    ]  # fmt: skip
    assert [row["status"] for row in dealerflow.rows(t.vehicles)] == ["delivered"]
    assert [row["number"] for row in dealerflow.rows(t.documents)] == ["NORTHSIDE-2026-000001"]
    assert len(dealerflow.rows(t.delivery_notes)) == 1
    assert dealerflow.rows(t.messages) == []
    positions = [row["position"] for row in dealerflow.rows(t.events)]
    assert sorted(positions) == list(range(1, len(positions) + 1))


def test_a_step_is_decided_once(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    dealerflow.claim(DEALER, id_, "accept")
    with pytest.raises(Conflict):
        dealerflow.claim(DEALER, id_, "decline", reason="too late")
    dealerflow.drain()
    assert dealerflow.order(id_).state == "order_arrived"


def test_production_waits_for_what_is_due_before_it(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    with pytest.raises(Conflict, match=r"payment is missing: 30 000\.00 EUR is due before production"):
        dealerflow.claim(PRODUCTION, id_, "start_production", line="A")


def test_a_full_line_takes_no_more_and_a_refused_decision_holds_no_place(dealerflow: Dealerflow) -> None:
    in_production(dealerflow), in_production(dealerflow)
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    with pytest.raises(Conflict, match="line A is full"):
        dealerflow.claim(PRODUCTION, id_, "start_production", line="A")
    dealerflow.decide(PRODUCTION, id_, "start_production", line="B")
    assert [(row["id"], row["taken"]) for row in dealerflow.rows(t.lines)] == [("A", 2), ("B", 1)]


def test_a_rebuild_scraps_the_car_frees_the_place_and_makes_another_car(dealerflow: Dealerflow) -> None:
    id_ = in_production(dealerflow)
    dealerflow.decide(LINE, id_, "finish")
    dealerflow.decide(QUALITY, id_, "fail", defects=["gap"])
    dealerflow.decide(LINE, id_, "rebuild")
    assert (dealerflow.order(id_).vehicle, dealerflow.order(id_).line) == (None, None)
    assert [row["taken"] for row in dealerflow.rows(t.lines)] == [0, 0]
    dealerflow.decide(PRODUCTION, id_, "start_production", line="B")
    cars = dealerflow.rows(t.vehicles)
    assert [car["status"] for car in cars] == ["scrapped", "building"]
    assert len({car["vin"] for car in cars}) == 2
    assert dealerflow.mails_of(id_).count("order_in_production") == 1


def test_a_vin_names_maker_model_and_plant(dealerflow: Dealerflow) -> None:
    in_production(dealerflow)
    vin = dealerflow.rows(t.vehicles)[0]["vin"]
    assert (vin[:3], vin[3:8], vin[10]) == ("XDF", "MER24", "M")
    assert has_right_check_digit(vin)


def test_wrong_role_wrong_dealership_and_wrong_details_are_refused(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    with pytest.raises(NotFound):
        dealerflow.claim(staff("dealer", "harbour"), id_, "accept")
    with pytest.raises(Forbidden):
        dealerflow.claim(QUALITY, id_, "accept")
    with pytest.raises(Invalid) as wrong:
        dealerflow.claim(DEALER, id_, "decline", colour="red")
    assert {fault.pointer for fault in wrong.value.faults} == {"/details/reason", "/details/colour"}
    with pytest.raises(Invalid):
        dealerflow.claim(DEALER, id_, "explode")


def test_a_cancelled_paid_order_asks_for_a_refund_and_the_refund_gives_a_credit_note(
    dealerflow: Dealerflow,
) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    payment = dealerflow.pay(id_)
    dealerflow.decide(Caller(customer_of=id_), id_, "cancel")
    with dealerflow.database.begin() as work:
        assert work.billing.payment(payment.id).status == "refund_requested"
        record_refund(work, DEALER, payment.id, "bank 7")
    dealerflow.drain()
    documents = {row["kind"]: row["number"] for row in dealerflow.rows(t.documents)}
    assert documents == {"invoice": "NORTHSIDE-2026-000001", "credit_note": "NORTHSIDE-CN-2026-000001"}
    assert dealerflow.order(id_).paid == 0
    assert {"refund_requested", "credit_note", "order_cancelled"} <= set(dealerflow.mails_of(id_))


def test_a_deposit_and_a_balance_give_one_invoice_each(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place(terms=(Term(before="production", percent=20), Term(before="handover", percent=80)))
    dealerflow.decide(DEALER, id_, "accept")
    assert dealerflow.pay(id_).amount == PRICE // 5
    dealerflow.decide(PRODUCTION, id_, "start_production", line="A")
    assert dealerflow.pay(id_).amount == PRICE - PRICE // 5
    assert len(dealerflow.rows(t.documents)) == 2


def test_payment_goes_on_while_invoicing_is_paused_and_every_payment_then_gets_its_invoice(
    dealerflow: Dealerflow,
) -> None:
    dealerflow.store.pause(queues.INVOICES)
    ids = [dealerflow.place() for _ in range(5)]
    for id_ in ids:
        dealerflow.decide(DEALER, id_, "accept")
        assert dealerflow.pay(id_).status == "paid"
    assert dealerflow.rows(t.documents) == []
    dealerflow.store.resume(queues.INVOICES)
    dealerflow.drain()
    assert sorted(row["running"] for row in dealerflow.rows(t.documents)) == [1, 2, 3, 4, 5]


def test_a_load_with_a_blocked_car_stays_whole_and_names_it(dealerflow: Dealerflow) -> None:
    good = passed(dealerflow)
    terms = (Term(before="delivery", percent=100),)
    unpaid = dealerflow.place(terms=terms)
    dealerflow.decide(DEALER, unpaid, "accept")
    dealerflow.decide(PRODUCTION, unpaid, "start_production", line="A")
    dealerflow.decide(LINE, unpaid, "finish")
    dealerflow.decide(QUALITY, unpaid, "pass")
    with dealerflow.database.begin() as work:
        load = make_load(work, DELIVERY, LoadForm(orders=(good, unpaid)))
    with pytest.raises(Conflict) as refused, dealerflow.database.begin() as work:
        depart(work, DELIVERY, load.id)
    assert [car["order"] for car in refused.value.facts["blocked"]] == [unpaid]  # type: ignore[attr-defined]
    dealerflow.drain()
    assert dealerflow.order(good).state == "quality_passed"
    dealerflow.pay(unpaid)
    with dealerflow.database.begin() as work:
        depart(work, DELIVERY, load.id)
    dealerflow.drain()
    assert {dealerflow.order(id_).state for id_ in (good, unpaid)} == {"on_delivery"}


def test_the_override_puts_an_order_in_a_state_on_record(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    with dealerflow.database.begin() as work:
        put_order(
            work, id_, "quality_check", by="acc_admin", reason="found in the yard", line="A", silent=True
        )
    dealerflow.drain()
    assert dealerflow.order(id_).line_place == "A"
    assert [row["status"] for row in dealerflow.rows(t.vehicles)] == ["building"]
    put = next(row for row in dealerflow.rows(t.events) if row["type"] == "OrderPut")
    assert "found in the yard" in put["details"]
    with pytest.raises(Invalid), dealerflow.database.begin() as work:
        put_order(work, id_, "quality_passed", by="acc_admin", reason=" ")


def test_an_order_that_is_put_where_cars_are_built_has_a_car(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    with dealerflow.database.begin() as work:
        put_order(work, id_, "quality_passed", by="acc_admin", reason="built by hand", silent=True)
    car = dealerflow.rows(t.vehicles)[0]
    assert (car["status"], car["order_id"]) == ("built", id_)
    assert dealerflow.order(id_).vehicle == car["id"]

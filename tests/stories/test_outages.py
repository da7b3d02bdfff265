"""A part is away for a while, and nothing is lost: what is accepted meanwhile is done when it is back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.stories.driver import Dealerflow, Json, Order
from tests.stories.usual_way import take

OUTAGE_SECONDS = 30


@contextmanager
def invoices_paused(dealerflow: Dealerflow) -> Iterator[None]:
    dealerflow.operator.sends("/queues/invoices/pause", expect=200)
    yield
    dealerflow.operator.sends("/queues/invoices/resume", expect=200)


def accepted_orders(dealerflow: Dealerflow, number: int) -> list[Order]:
    orders = [dealerflow.customer.orders("northside") for _ in range(number)]
    dealerflow.settles()
    steps = {order["id"]: order["step"] for order in all_orders(dealerflow)}
    for order in orders:
        accepted = dealerflow.dealer("northside").tries(order, "accept", step=steps[order.id])
        assert accepted.status_code == 202
    dealerflow.settles()
    return orders


def all_orders(dealerflow: Dealerflow) -> list[Json]:
    return dealerflow.head.lists("/orders", limit=200)


def running_numbers(orders: list[Json]) -> list[int]:
    return sorted(int(order["invoice"]["number"][-6:]) for order in orders)


def test_200_payments_are_taken_while_invoicing_is_paused_and_invoiced_later(dealerflow: Dealerflow) -> None:
    # Their mails stay in the queue: to print 200 invoices would take longer than all the rest.
    dealerflow.operator.sends("/queues/notifications/pause", expect=200)
    payments_are_taken_while(invoices_paused(dealerflow), dealerflow, 200)


def test_payments_are_taken_while_nobody_works_the_invoices_and_invoiced_later(
    dealerflow: Dealerflow,
) -> None:
    nobody = dealerflow.installation.without_workers_for("invoices")
    payments_are_taken_while(nobody, dealerflow, 20)


def payments_are_taken_while(
    invoicing_is_stopped: AbstractContextManager[None], dealerflow: Dealerflow, number: int
) -> None:
    orders = accepted_orders(dealerflow, number)
    with invoicing_is_stopped:
        for order in orders:
            assert dealerflow.customer.pays(order)["status"] == "received"
        dealerflow.settles()
        stopped = all_orders(dealerflow)
        assert Counter(order["payment"]["status"] for order in stopped) == {"paid": number}
        assert Counter(order["invoice"]["status"] for order in stopped) == {"none": number}
        assert dealerflow.queue("invoices")["waiting"] == number
        dealerflow.production.decides(orders[0], "start_production", line="A")
        orders[0].reaches("production_started")

    dealerflow.settles()
    assert running_numbers(all_orders(dealerflow)) == list(range(1, number + 1))
    assert Counter(mail["template"] for mail in dealerflow.mails())["invoice"] == number


@pytest.mark.also_served
def test_orders_are_taken_while_the_database_is_away(dealerflow: Dealerflow) -> None:
    before = accepted_orders(dealerflow, 1)
    with dealerflow.installation.without_database():
        orders = [dealerflow.customer.orders("northside") for _ in range(10)]
        dealerflow.installation.lets_time_pass(OUTAGE_SECONDS / 2)
        orders += [dealerflow.customer.orders("harbour") for _ in range(10)]
        if dealerflow.installation.knows_received_orders_without_database:
            assert Counter(order.state for order in orders) == {"received": 20}
        assert dealerflow.anybody.asks("GET", f"/orders/{orders[0].id}?key=0.wrong").status_code == 404
        refused = dealerflow.customer.asks(
            "POST", f"/orders/{before[0].id}/payments", json={"method": "test_card"}
        )
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        ready = dealerflow.http.get("/readyz")
        assert ready.status_code == 200, "orders can be taken"
        dealerflow.installation.lets_time_pass(OUTAGE_SECONDS / 2)

    dealerflow.settles()
    assert Counter(order.state for order in orders) == {"order_placed": 20}
    assert sum(queue["dead"] for queue in dealerflow.queues().values()) == 0
    placed = Counter(mail["order"] for mail in dealerflow.mails() if mail["template"] == "order_placed")
    assert placed == {order.id: 1 for order in (*before, *orders)}
    take(dealerflow, "order_arrived", orders[0])


def test_what_was_decided_and_paid_before_an_outage_is_carried_out_after_it(dealerflow: Dealerflow) -> None:
    accepted, placed = accepted_orders(dealerflow, 1)[0], dealerflow.customer.orders("northside")
    placed.reaches("order_placed")
    dealerflow.customer.pays(accepted)
    dealerflow.dealer("northside").decides(placed, "accept")
    with dealerflow.installation.without_database():
        dealerflow.installation.lets_time_pass(10 * 60)

    placed.reaches("order_arrived")
    accepted.is_paid()
    assert sum(queue["dead"] for queue in dealerflow.queues().values()) == 0
    assert accepted.now["invoice"]["number"].endswith("000001")

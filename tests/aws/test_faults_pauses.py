"""An operator pauses a queue: nothing of it leaves or is worked, for weeks if need be, and afterwards everything is, once."""

from __future__ import annotations

from collections import Counter

import pytest

from dealerflow.adapters.database.outbox import RELAY_LEASE_MS
from dealerflow.application.message_events import from_cloud_event
from tests.aws.in_small import InSmall
from tests.aws.lives import dead
from tests.aws.poison import in_queue
from tests.aws.small import Delivering
from tests.stories.driver import Order, People
from tests.stories.usual_way import take

MINUTES = 60
DAYS = 24 * 3600
NORTH = "deliveries-north"


def pauses(dealerflow: People, queue: str) -> None:
    dealerflow.operator.sends(f"/queues/{queue}/pause", expect=200)


def resumes(dealerflow: People, queue: str) -> None:
    dealerflow.operator.sends(f"/queues/{queue}/resume", expect=200)


def placed(small: InSmall, *dealerships: str) -> tuple[People, list[Order]]:
    dealerflow = People(small)
    orders = [dealerflow.customer.orders(dealership) for dealership in dealerships]
    return dealerflow, [order.reaches("order_placed") for order in orders]


def test_nothing_is_put_on_the_bus_while_that_is_paused(small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    small.system.store.declare(["bus"])  # as each deployment does
    small.lets_time_pass(1 * MINUTES)
    pauses(dealerflow, "bus")
    before = len(small.aws.bus)
    take(dealerflow, "quality_check", order)
    small.lets_time_pass(10 * MINUTES)
    assert len(small.aws.bus) == before
    assert dealerflow.queue("bus")["waiting"] > 0

    resumes(dealerflow, "bus")
    small.lets_time_pass(1 * MINUTES)
    told = Counter(event["id"] for event in small.aws.bus)
    assert told == {event["id"]: 1 for event in dealerflow.events()}
    take(dealerflow, "ended", order)
    assert dealerflow.audit() == []


def test_what_is_sent_to_a_paused_queue_stays_in_the_database(small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    take(dealerflow, "order_arrived", order)
    pauses(dealerflow, "payments")
    dealerflow.customer.pays(order)
    small.lets_time_pass(RELAY_LEASE_MS / 1000 + 10 * MINUTES)
    assert in_queue(small, "payments") == []
    assert dealerflow.queue("payments")["waiting"] == 1

    resumes(dealerflow, "payments")
    assert len(in_queue(small, "payments")) == 1, "it leaves at once"
    order.is_paid()
    assert (dealerflow.audit(), small.aws.waiting(), dead(small)) == ([], [], [])


@pytest.mark.parametrize("twice", [False, True])
def test_orders_wait_in_the_database_while_their_queue_is_paused_for_weeks(
    twice: bool, small: InSmall
) -> None:
    dealerflow = People(small)
    pauses(dealerflow, "orders")
    small.aws.delivering = Delivering(twice=twice)
    orders = [dealerflow.customer.orders(dealership) for dealership in ("northside", "lakeside")]
    small.lives_through(20 * DAYS, minutes=6 * 60)
    assert in_queue(small, "orders") == [], "SQS would have forgotten them after 14 days"
    assert {order.state for order in orders} == {"received"}
    figures = dealerflow.queue("orders")
    assert (figures["waiting"], figures["paused"], figures["dead"]) == (2, True, 0)
    assert (dealerflow.audit(), dead(small)) == ([], [])

    resumes(dealerflow, "orders")
    for order in orders:
        order.reaches("order_placed")
    letters = Counter(mail["order"] for mail in dealerflow.mails() if mail["template"] == "order_placed")
    assert letters == {order.id: 1 for order in orders}
    take(dealerflow, "ended", *orders)
    small.lets_time_pass(15 * MINUTES)
    assert (dealerflow.audit(), small.aws.waiting(), dead(small)) == ([], [], [])


def test_orders_that_sqs_held_already_are_not_worked_either_once_their_queue_is_paused(
    small: InSmall,
) -> None:
    dealerflow = People(small)
    small.unworked.add("orders")
    order = dealerflow.customer.orders("northside")
    pauses(dealerflow, "orders")
    small.unworked.clear()
    small.lets_time_pass(10 * MINUTES)
    assert (order.state, dealerflow.queue("orders")["waiting"]) == ("received", 1)
    resumes(dealerflow, "orders")
    order.reaches("order_placed")
    assert (dealerflow.audit(), small.aws.waiting(), dead(small)) == ([], [], [])


def test_an_order_that_was_given_up_does_not_come_back_through_a_pause(small: InSmall) -> None:
    dealerflow = People(small)
    small.unworked.add("orders")
    dealerflow.customer.orders("northside")
    [sent] = in_queue(small, "orders")
    small.aws.put(small.system.names.queue_url("orders"), sent.body, sent.group)  # a second delivery, later
    first, second = in_queue(small, "orders")
    in_queue(small, "orders").remove(second)
    pauses(dealerflow, "orders")
    small.unworked.clear()
    small.work()
    given_up(small, first.body)
    in_queue(small, "orders").append(second)
    small.work()
    resumes(dealerflow, "orders")
    small.lets_time_pass(10 * MINUTES)
    assert dealerflow.queue("orders")["waiting"] == 0
    assert dealerflow.head.lists("/orders") == []


def given_up(small: InSmall, body: str) -> None:
    """The order's row died, and an operator discarded it."""
    envelope, now = from_cloud_event(body), small.system.still.now()
    small.system.outbox.bury(envelope.id, now=now, error="by hand")
    assert small.system.store.discard("orders", [envelope.id], now=now, by="ana", reason="by hand") == 1


def test_what_sqs_held_of_a_line_that_is_paused_goes_back_to_the_database(small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    take(dealerflow, "quality_check", order)
    small.unworked.add("deliveries")
    dealerflow.quality.decides(order, "pass")
    small.work()
    assert len(in_queue(small, "deliveries")) == 1
    pauses(dealerflow, NORTH)
    small.unworked.clear()
    small.lets_time_pass(10 * MINUTES)
    assert in_queue(small, "deliveries") == []
    assert dealerflow.queue(NORTH)["waiting"] == 1
    resumes(dealerflow, NORTH)
    take(dealerflow, "ended", order)
    assert (dealerflow.audit(), small.aws.waiting(), dead(small)) == ([], [], [])

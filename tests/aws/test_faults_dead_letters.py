"""What lies in the dead-letter queues without a function's having judged it: what SQS gave up, and what nobody can read."""

from __future__ import annotations

import json

import pytest

from tests.aws.in_small import InSmall
from tests.aws.lives import dead
from tests.aws.poison import dead_letters, in_dead_queue, in_queue, redrives, spoil
from tests.aws.small import MOST_RECEIVES
from tests.aws.small_clients import MOST_BYTES
from tests.stories.driver import Order, People
from tests.stories.usual_way import take

MINUTES = 60


def given_up(small: InSmall, queue: str) -> None:
    """SQS delivered what waits in the queue as often as it may; its function never came to an end."""
    for sent in in_queue(small, queue):
        sent.received = MOST_RECEIVES
    small.work()
    assert in_queue(small, queue) == []
    assert len(in_dead_queue(small, queue)) == 1


def a_payment_that_waits(small: InSmall) -> tuple[People, Order]:
    dealerflow = People(small)
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "order_arrived", order)
    small.unworked.add("payments")
    dealerflow.customer.pays(order)
    small.unworked.clear()
    return dealerflow, order


def test_what_sqs_gave_up_is_marked_dead_by_the_schedule_and_healed_by_a_redrive(small: InSmall) -> None:
    dealerflow, order = a_payment_that_waits(small)
    given_up(small, "payments")
    small.lets_time_pass(1 * MINUTES)
    [letter] = dead_letters(dealerflow, "payments")
    assert (letter["order"], len(in_dead_queue(small, "payments"))) == (order.id, 1)
    small.lets_time_pass(60 * MINUTES)
    assert len(dead_letters(dealerflow, "payments")) == 1

    assert redrives(dealerflow, "payments") == 1
    order.is_paid()
    take(dealerflow, "ended", order)
    assert (dead(small), small.aws.waiting(), dealerflow.audit()) == ([], [], [])


@pytest.mark.parametrize("readable", [True, False])
def test_an_order_that_sqs_gave_up_is_dead_and_not_lost(readable: bool, small: InSmall) -> None:
    dealerflow = People(small)
    small.unworked.add("orders")
    order = dealerflow.customer.orders("northside")
    if not readable:
        spoil(in_queue(small, "orders")[0])
    small.unworked.clear()
    given_up(small, "orders")
    small.lets_time_pass(60 * MINUTES)
    [letter] = dead_letters(dealerflow, "orders")
    assert (letter["order"], len(in_dead_queue(small, "orders"))) == (order.id, 1)
    if readable:
        assert redrives(dealerflow, "orders") == 1
        order.reaches("order_placed")
        assert (dead(small), dealerflow.audit()) == ([], [])


def test_a_copy_that_sqs_gave_up_after_the_work_was_done_is_cleared_away(small: InSmall) -> None:
    dealerflow, order = a_payment_that_waits(small)
    [sent] = in_queue(small, "payments")
    small.aws.put(small.system.names.queue_url("payments"), sent.body, sent.group)
    in_queue(small, "payments")[1].received = MOST_RECEIVES
    order.is_paid()
    assert len(in_dead_queue(small, "payments")) == 1
    small.lets_time_pass(20 * MINUTES)
    assert (dead(small), dealerflow.audit()) == ([], [])


NUL = "\\u0000"  # no database of ours can store it
STRANGE = json.dumps(
    {
        "specversion": "1.0",
        "id": "msg_STRANGE",
        "source": "/",
        "type": "t",
        "time": "2026-01-31T12:00:00Z",
        "data": {},
        "datacontenttype": "application/json",
        "queue": "payments",
    }
).replace("STRANGE", NUL)


@pytest.mark.parametrize(
    "body",
    [
        STRANGE,
        "no JSON",
        "{}",
        "[" * 5000,
        '{"specversion": "1.0", "id": "\\u0000"}',
        "x" * (MOST_BYTES - 20),  # there is hardly room for the error beside it
    ],
)
def test_what_cannot_be_read_at_all_is_put_aside_and_stays_for_a_person(body: str, small: InSmall) -> None:
    dealerflow, order = a_payment_that_waits(small)
    small.aws.put(small.system.names.queue_url("payments"), body)
    small.aws.queues[small.system.names.queue_url("payments")].reverse()
    order.is_paid()
    small.lets_time_pass(60 * MINUTES)
    [copy] = in_dead_queue(small, "payments")
    assert (copy.body, "error" in copy.attributes) == (body, True)
    assert (in_queue(small, "payments"), dealerflow.audit()) == ([], [])


def test_what_can_neither_be_read_nor_put_aside_is_offered_again_and_holds_up_no_other(
    small: InSmall,
) -> None:
    _, order = a_payment_that_waits(small)
    small.aws.put(small.system.names.queue_url("payments"), "no JSON")
    small.gate.away.add("sqs")
    small.work_once("payments")
    assert [sent.body for sent in in_queue(small, "payments")] == ["no JSON"]
    small.gate.away.clear()
    order.is_paid()
    small.lets_time_pass(10 * MINUTES)
    assert [sent.body for sent in in_dead_queue(small, "payments")] == ["no JSON"]

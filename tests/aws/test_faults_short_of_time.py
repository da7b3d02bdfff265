"""A function may run for a minute only. What it cannot finish by then it does not begin: a mail that is cut off may have left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from dealerflow.adapters.aws.names import QUEUES
from dealerflow.composition.aws import PATIENT_SECONDS
from dealerflow.composition.aws_queues import delivery_of, receiver_of, time_of
from tests.aws.in_small import LEASE_MS, InSmall
from tests.aws.lives import dead
from tests.aws.poison import in_queue
from tests.stories.driver import People

TIMEOUT_MS = 60_000  # of each function that works a queue: infra/template.yaml


@dataclass
class Context:
    """What Lambda tells a function of the time it has left."""

    left: int

    def get_remaining_time_in_millis(self) -> int:
        return self.left


def test_what_there_is_no_time_for_is_given_back_at_once_and_done_by_the_next(small: InSmall) -> None:
    dealerflow = People(small)
    small.unworked.add("notifications")
    orders = [dealerflow.customer.orders("northside").reaches("order_placed") for _ in range(3)]
    deliveries = [delivery_of(record) for record in small.aws.receive("notifications")]
    assert len(deliveries) > 2
    receiver = receiver_of(small.system, "notifications", lease_ms=LEASE_MS)
    again = receiver.work(deliveries, lambda: len(small.mailbox()) > 1)
    assert len(small.mailbox()) == 2
    assert again == [delivery.id for delivery in deliveries[2:]]
    assert {sent.visible_at for sent in in_queue(small, "notifications") if sent.id in again} == {
        small.system.still.now()
    }

    small.unworked.clear()
    small.lets_time_pass(15 * 60)
    letters = Counter(mail["Message-ID"] for mail in small.mailbox())
    assert set(letters.values()) == {1}
    assert len(letters) >= 2 * len(orders)
    assert (dealerflow.audit(), dead(small), small.aws.waiting()) == ([], [], [])


def test_the_first_is_worked_however_late_it_is(small: InSmall) -> None:
    dealerflow = People(small)
    small.unworked.add("notifications")
    dealerflow.customer.orders("northside").reaches("order_placed")
    deliveries = [delivery_of(record) for record in small.aws.receive("notifications")]
    receiver = receiver_of(small.system, "notifications", lease_ms=LEASE_MS)
    assert receiver.work(deliveries, lambda: True) == [delivery.id for delivery in deliveries[1:]]
    assert len(small.mailbox()) == 1


@pytest.mark.parametrize("queue", QUEUES)
def test_time_is_not_up_when_a_function_begins_and_is_before_it_ends(queue: str) -> None:
    assert not time_of(queue, Context(TIMEOUT_MS - 1_000))()
    assert time_of(queue, Context(15_000))()


@pytest.mark.parametrize("queue", ["notifications", "functions"])
def test_where_answers_are_waited_for_with_patience_nothing_is_begun_without_time_for_that(
    queue: str,
) -> None:
    assert time_of(queue, Context(PATIENT_SECONDS * 1000))()

"""Poison: a message that fails at every try harms only itself, is put aside where people see it, and can be healed."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from dealerflow.adapters.database import tables as t
from dealerflow.application import queues
from dealerflow.composition.aws_queues import delivery_of, receiver_of
from tests.aws.in_small import InSmall
from tests.aws.lives import dead
from tests.aws.poison import (
    OWN_FUNCTION,
    dead_letters,
    discards,
    in_dead_queue,
    in_queue,
    redrives,
    spoil,
    with_own_function,
)
from tests.aws.small_installations import NewSmall
from tests.stories.driver import Order, People
from tests.stories.usual_way import take

ATTEMPTS = queues.policy(queues.FUNCTIONS).max_attempts


class OwnFunction:
    """A Lambda that estimates arrivals, but not of these orders."""

    def __init__(self) -> None:
        self.poisonous: set[str] = set()
        self.called: list[str] = []

    def __call__(self, call: dict[str, Any]) -> dict[str, Any]:
        self.called.append(call["order"])
        if call["order"] in self.poisonous:
            raise ValueError("there is no such road")
        return {"eta": "2026-12-01"}


def a_car_whose_function_fails(small: InSmall) -> tuple[People, OwnFunction, Order, Order]:
    """Two cars in quality_passed, of which the function failed for the first until it was given up."""
    function = small.aws.lambdas[OWN_FUNCTION] = OwnFunction()
    dealerflow = People(small)
    bad, good = (dealerflow.customer.orders("northside").reaches("order_placed") for _ in range(2))
    function.poisonous = {bad.id}
    take(dealerflow, "quality_passed", bad, good)
    dealerflow.settles()
    return dealerflow, function, bad, good


def test_a_function_that_always_fails_ends_among_the_dead_letters_and_holds_up_nothing(
    new_small: NewSmall,
) -> None:
    with new_small(with_own_function()) as small:
        dealerflow, function, bad, good = a_car_whose_function_fails(small)
        [letter] = dead_letters(dealerflow, "functions")
        assert (letter["order"], letter["attempts"]) == (bad.id, ATTEMPTS)
        assert "there is no such road" in letter["error"]
        [copy] = in_dead_queue(small, "functions")
        assert letter["id"] in copy.body
        assert (function.called.count(bad.id), function.called.count(good.id)) == (ATTEMPTS, 1)

        take(dealerflow, "ended", bad, good)
        assert [fault["subject"] for fault in dealerflow.audit()] == [letter["id"]]

        function.poisonous.clear()
        assert redrives(dealerflow, "functions") == 1
        dealerflow.settles()
        assert bad.for_staff["facts"] == good.for_staff["facts"] == {"eta": "2026-12-01"}
        assert (dead_letters(dealerflow, "functions"), dead(small), dealerflow.audit()) == ([], [], [])
        assert function.called.count(bad.id) == ATTEMPTS + 1


def test_what_failed_is_offered_again_by_sqs_alone(new_small: NewSmall) -> None:
    with new_small(with_own_function()) as small:
        function = small.aws.lambdas[OWN_FUNCTION] = OwnFunction()
        dealerflow = People(small)
        order = dealerflow.customer.orders("northside").reaches("order_placed")
        take(dealerflow, "quality_check", order)
        function.poisonous = {order.id}
        dealerflow.quality.decides(order, "pass")
        most = 0
        for _ in range(10):
            small.lets_time_pass(60)
            most = max(most, len(in_queue(small, "functions")))
        assert most == 1, "nobody else put it there once more"
        assert len(in_dead_queue(small, "functions")) == 1


def test_a_dead_letter_that_is_given_up_leaves_nothing_but_the_record(new_small: NewSmall) -> None:
    with new_small(with_own_function()) as small:
        dealerflow, _, _, good = a_car_whose_function_fails(small)
        [letter] = dead_letters(dealerflow, "functions")
        assert discards(dealerflow, "functions", [letter["id"]]) == 1
        assert (dead_letters(dealerflow, "functions"), dead(small), dealerflow.audit()) == ([], [], [])
        with small.system.engine.connect() as connection:
            [given_up] = connection.execute(sa.select(t.discarded)).all()
        assert (given_up.id, given_up.reason) == (letter["id"], "it was sent by hand")
        take(dealerflow, "ended", good)


def test_an_order_that_fails_at_every_try_gets_a_row_and_is_healed(small: InSmall) -> None:
    dealerflow = People(small)
    with small.system.engine.begin() as connection:
        connection.execute(
            sa.text("ALTER TABLE orders ADD CONSTRAINT no_lakes CHECK (dealership <> 'lakeside')")
        )
    bad, good = dealerflow.customer.orders("lakeside"), dealerflow.customer.orders("northside")
    good.reaches("order_placed")
    [letter] = dead_letters(dealerflow, "orders")
    assert (letter["order"], letter["type"], len(in_dead_queue(small, "orders"))) == (bad.id, "PlaceOrder", 1)

    with small.system.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE orders DROP CONSTRAINT no_lakes"))
    assert redrives(dealerflow, "orders") == 1
    bad.reaches("order_placed")
    assert (dead(small), small.aws.waiting(), dealerflow.audit()) == ([], [], [])


def test_an_order_that_this_version_cannot_read_is_kept_until_one_can(small: InSmall) -> None:
    dealerflow = People(small)
    small.unworked.add("orders")
    bad, good = dealerflow.customer.orders("northside"), dealerflow.customer.orders("northside")
    [first, second] = in_queue(small, "orders")
    as_it_was = first.body
    spoil(first)
    assert "OfAnotherVersion" not in second.body
    small.unworked.clear()
    good.reaches("order_placed")
    [letter] = dead_letters(dealerflow, "orders")
    assert (letter["order"], len(in_dead_queue(small, "orders"))) == (bad.id, 1)
    small.lets_time_pass(3600)
    assert len(dead_letters(dealerflow, "orders")) == 1
    assert len(in_dead_queue(small, "orders")) == 1

    # A version that reads it: for this test's sake the message is what it was.
    with small.system.engine.begin() as connection:
        [body] = connection.execute(sa.select(t.messages.c.body)).scalars()
        assert json.loads(body) == {"type": "OfAnotherVersion"}, "it is kept as it came"
        data = as_it_was[as_it_was.index('"data":') + 7 : as_it_was.index(',"datacontenttype"')]
        connection.execute(sa.update(t.messages).values(body=data))
    assert redrives(dealerflow, "orders") == 1
    bad.reaches("order_placed")
    assert (dead(small), dealerflow.audit()) == ([], [])


def test_a_message_whose_copy_was_garbled_heals_from_its_row(small: InSmall) -> None:
    dealerflow = People(small)
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "order_arrived", order)
    small.unworked.add("payments")
    dealerflow.customer.pays(order)
    spoil(in_queue(small, "payments")[0])
    small.unworked.clear()
    dealerflow.settles()
    assert order.now["payment"]["status"] == "received"
    assert [letter["type"] for letter in dead_letters(dealerflow, "payments")] == ["TakePayment"]
    assert redrives(dealerflow, "payments") == 1
    order.is_paid()
    assert (dead(small), dealerflow.audit()) == ([], [])


def test_a_message_that_sqs_does_not_let_us_put_off_harms_no_other(small: InSmall) -> None:
    dealerflow = People(small)
    bad, good = (dealerflow.customer.orders("northside").reaches("order_placed") for _ in range(2))
    take(dealerflow, "order_arrived", bad, good)
    small.unworked.add("payments")
    for order in (bad, good):
        dealerflow.customer.pays(order)
    spoil(in_queue(small, "payments")[0])
    records = [delivery_of(record) for record in small.aws.receive("payments")]
    late = replace(records[0], receipt="of a time that is over")
    receiver = receiver_of(small.system, "payments", lease_ms=60_000)
    assert receiver.work([late, records[1]]) == [late.id]
    small.lets_time_pass(60)
    good.is_paid()


def test_a_row_that_cannot_be_read_holds_up_no_other(small: InSmall) -> None:
    dealerflow = People(small)
    bad, good = (dealerflow.customer.orders("northside").reaches("order_placed") for _ in range(2))
    take(dealerflow, "order_arrived", bad, good)
    small.gate.away.add("sqs")
    for order in (bad, good):
        dealerflow.customer.pays(order)
    with small.system.engine.begin() as connection:
        its = sa.and_(t.messages.c.queue == "payments", t.messages.c.order_id == bad.id)
        [body] = connection.execute(sa.select(t.messages.c.body).where(its)).scalars()
        connection.execute(sa.update(t.messages).where(its).values(body=body[:-3]))
    small.gate.away.clear()
    small.lets_time_pass(60)
    good.is_paid()
    [letter] = dead_letters(dealerflow, "payments")
    assert letter["order"] == bad.id
    [note] = in_dead_queue(small, "payments")
    assert letter["id"] in note.body

    with small.system.engine.begin() as connection:
        connection.execute(sa.update(t.messages).where(t.messages.c.id == letter["id"]).values(body=body))
    assert redrives(dealerflow, "payments") == 1
    bad.is_paid()
    assert (dead(small), dealerflow.audit()) == ([], [])

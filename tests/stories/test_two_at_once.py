"""Two people do the same at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from tests.stories.driver import Dealerflow, Order
from tests.stories.usual_way import take

ROUNDS = 5
PLACES = 10


def at_once(*calls: Callable[[], httpx.Response]) -> list[int]:
    """The statuses of calls that are made at the same moment, sorted."""
    start = Barrier(len(calls))

    def call(one: Callable[[], httpx.Response]) -> httpx.Response:
        start.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as threads:
        return sorted(answer.status_code for answer in threads.map(call, calls))


@pytest.mark.by_chance
def test_of_two_who_decide_at_once_exactly_one_is_heard(dealerflow: Dealerflow) -> None:
    northside = dealerflow.dealer("northside")
    orders = [dealerflow.customer.orders("northside") for _ in range(ROUNDS)]
    dealerflow.settles()
    for order in orders:
        step = order.step
        accept = _decision(northside, order, step, "accept")
        cancel = _decision(dealerflow.customer, order, step, "cancel")
        assert at_once(accept, cancel, accept) == [202, 409, 409]
    dealerflow.settles()
    for order in orders:
        assert order.state in {"order_arrived", "cancelled"}
        assert len(order.now["history"]) == 2


def test_of_two_who_pay_at_once_exactly_one_pays(dealerflow: Dealerflow) -> None:
    orders = [dealerflow.customer.orders("northside") for _ in range(ROUNDS)]
    take(dealerflow, "order_arrived", *orders)
    for order in orders:
        assert at_once(*[lambda order=order: _payment(dealerflow, order)] * 3) == [202, 409, 409]
    dealerflow.settles()
    for order in orders:
        assert [payment["status"] for payment in order.now["payment"]["payments"]] == ["paid"]


def test_the_last_place_on_a_line_goes_to_one_car(dealerflow: Dealerflow) -> None:
    orders = [dealerflow.customer.orders("northside") for _ in range(PLACES + 2)]
    take(dealerflow, "order_arrived", *orders)
    for order in orders:
        dealerflow.customer.pays(order)
    dealerflow.settles()
    for order in orders[: PLACES - 1]:
        dealerflow.production.decides(order, "start_production", line="A")
    contenders = [
        _decision(dealerflow.production, order, order.step, "start_production", line="A")
        for order in orders[PLACES - 1 :]
    ]
    assert at_once(*contenders) == [202, 409, 409]
    dealerflow.settles()
    assert _states(orders).count("production_started") == PLACES


def _decision(
    person: object, order: Order, step: str, outcome: str, **details: str
) -> Callable[[], httpx.Response]:
    return lambda: person.tries(order, outcome, step=step, **details)  # type: ignore[attr-defined]


def _payment(dealerflow: Dealerflow, order: Order) -> httpx.Response:
    return dealerflow.customer.asks("POST", f"/orders/{order.id}/payments", json={"method": "test_card"})


def _states(orders: Sequence[Order]) -> list[str]:
    return [order.state for order in orders]

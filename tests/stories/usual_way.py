"""What people usually do with an order, for stories that begin where another one has told how to get there."""

from __future__ import annotations

from collections.abc import Callable

from tests.stories.driver import Order, People

MOST_ACTS = 12  # from the order page to the keys there are nine, two of them payments

Act = Callable[[People, Order, str], None]


def take(dealerflow: People, state: str, *orders: Order, line: str = "A") -> None:
    """Let people do what is usual until each order is in this state; what is due is paid. Cars are built on this line."""
    for _ in range(MOST_ACTS):
        dealerflow.settles()
        waiting = [(order, at) for order in orders if (at := order.state) != state]
        if not waiting:
            return
        for order, at in waiting:
            USUALLY[at](dealerflow, order, line)
    raise AssertionError(f"not every order reached {state}: {[order.state for order in orders]}")


def _accept(dealerflow: People, order: Order, line: str) -> None:
    dealerflow.dealer_of(order).decides(order, "accept")


def _start(dealerflow: People, order: Order, line: str) -> None:
    if _is_due(order, "production"):
        order.customer.pays(order)
    else:
        dealerflow.production.decides(order, "start_production", line=line)


def _finish(dealerflow: People, order: Order, line: str) -> None:
    dealerflow.line_lead(order.for_staff["line"]).decides(order, "finish")


def _pass(dealerflow: People, order: Order, line: str) -> None:
    dealerflow.quality.decides(order, "pass")


def _load(dealerflow: People, order: Order, line: str) -> None:
    dealerflow.delivery.sends_off(dealerflow.delivery.loads(order))


def _receive(dealerflow: People, order: Order, line: str) -> None:
    dealerflow.dealer_of(order).decides(order, "receive", condition="ok")


def _hand_over(dealerflow: People, order: Order, line: str) -> None:
    if _is_due(order, "handover"):
        order.customer.pays(order)
    else:
        dealerflow.dealer_of(order).decides(order, "hand_over")


def _is_due(order: Order, stage: str) -> bool:
    due = order.now["payment"]["due"]
    return due is not None and due["before"] == stage


USUALLY: dict[str, Act] = {
    "order_placed": _accept,
    "order_arrived": _start,
    "production_started": _finish,
    "quality_check": _pass,
    "quality_passed": _load,
    "on_delivery": _receive,
    "at_dealership": _hand_over,
}

"""Only on AWS: each order is followed by an execution of its own, and the order's row leads."""

from __future__ import annotations

from typing import cast

import pytest

from tests.stories.driver import Dealerflow
from tests.stories.on_aws import OnAws
from tests.stories.usual_way import take

pytestmark = pytest.mark.only_on_aws


def on_aws(dealerflow: Dealerflow) -> OnAws:
    return cast("OnAws", dealerflow.installation)


def test_an_order_whose_state_machine_was_stopped_goes_on_after_a_repair(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    on_aws(dealerflow).stop_execution_of(order.id)

    dealerflow.dealer("northside").decides(order, "accept")
    assert dealerflow.audit() == [], "a decision may take a while"
    on_aws(dealerflow).makes_messages_older(minutes=16)
    faults = dealerflow.installation.command("audit", "--repair", "--json", fails=False)
    assert order.id in faults, "the auditor says what it found, and mended"
    waits_for_its_turn = dealerflow.installation.moments()
    while order.state == "order_placed" and next(waits_for_its_turn, "over") != "over":
        on_aws(dealerflow).call("relay", {})  # as the schedule does every minute
    take(dealerflow, "ended", order)
    assert on_aws(dealerflow).statuses_of(order.id) == ["ABORTED", "SUCCEEDED"]


def test_a_decision_that_is_delivered_twice_moves_the_car_once(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    with dealerflow.installation.without_workers_for("decisions"):
        dealerflow.dealer("northside").decides(order, "accept")
        on_aws(dealerflow).double_messages_of("decisions")
    order.reaches("order_arrived")
    assert [entry["state"] for entry in order.now["history"]] == ["order_placed", "order_arrived"]


def test_an_override_takes_the_state_machine_along(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside")
    take(dealerflow, "quality_check", order)
    dealerflow.places(order, "order_arrived", reason="the line was closed")
    order.reaches("order_arrived")
    take(dealerflow, "ended", order)
    assert on_aws(dealerflow).statuses_of(order.id) == ["ABORTED", "SUCCEEDED"]

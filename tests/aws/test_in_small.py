"""AWS in small: whether its functions do together what one machine does. (The emulator runs all stories.)"""

from __future__ import annotations

from tests.aws.in_small import InSmall
from tests.stories.driver import People
from tests.stories.usual_way import take


def test_a_car_goes_its_way(small: InSmall) -> None:
    dealerflow = People(small)
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "ended", order)
    assert dealerflow.audit() == []
    assert small.aws.waiting() == []
    assert {run.status for run in small.aws.executions.values()} == {"SUCCEEDED"}

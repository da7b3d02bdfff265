from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dealerflow.adapters.outside.functions import InstalledFunctions, WrongAnswer
from dealerflow.application.functions import FunctionCall
from dealerflow.functions.estimate_arrival import estimate_arrival
from dealerflow.pipeline.functions import FunctionMissing


def call(function: str = "estimate_arrival", passed: str = "2026-01-28", line: str = "north") -> FunctionCall:
    return FunctionCall(
        key="stp_1:1",
        function=function,
        order="ord_1",
        dealership="northside",
        delivery_line=line,
        state="quality_passed",
        step="stp_1",
        entered_at=int(datetime.fromisoformat(passed).replace(tzinfo=UTC).timestamp() * 1000),
        model="meridian",
        trim="base",
        colour="deep-blue",
        options=(),
        vin="DZ9M1RA28TM000001",
        line="A",
        failures=0,
        facts={},
    )


def a_list(_call: FunctionCall) -> Any:
    return ["no", "facts"]


def nothing(_call: FunctionCall) -> None:
    return None


@pytest.mark.parametrize(
    ("passed", "line", "arrives"),
    [
        ("2026-01-26", "north", "2026-01-30"),  # Monday to Friday
        ("2026-01-28", "north", "2026-02-03"),  # over a weekend
        ("2026-01-26", "coast", "2026-02-02"),  # one day more
        ("2026-01-31", "north", "2026-02-05"),  # from a Saturday
    ],
)
def test_a_car_arrives_some_working_days_after_it_passed(passed: str, line: str, arrives: str) -> None:
    assert estimate_arrival(call(passed=passed, line=line)) == {"estimated_arrival": arrives}


def test_a_function_is_found_by_its_name_or_by_its_place() -> None:
    functions = InstalledFunctions()
    assert functions.call(call("estimate_arrival")) == {"estimated_arrival": "2026-02-03"}
    by_place = "dealerflow.functions.estimate_arrival:estimate_arrival"
    assert functions.call(call(by_place)) == {"estimated_arrival": "2026-02-03"}


def test_a_function_need_not_return_anything() -> None:
    assert InstalledFunctions().call(call(f"{__name__}:nothing")) is None


def test_a_function_that_is_not_installed_is_said_to_be_missing() -> None:
    with pytest.raises(FunctionMissing, match="no installed package offers the function 'paint_it_black'"):
        InstalledFunctions().call(call("paint_it_black"))


def test_a_function_that_returns_no_facts_has_failed() -> None:
    with pytest.raises(WrongAnswer, match="must return a dict"):
        InstalledFunctions().call(call(f"{__name__}:a_list"))

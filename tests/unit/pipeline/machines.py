"""Step Functions in small: what the tests need to walk through a machine that was made from a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

Json = dict[str, Any]


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """Where a walk came to: the state of the machine, what the execution carries, what UpdateStatus was told."""

    at: str
    data: Json
    called: tuple[Json, ...] = ()

    @property
    def told(self) -> Json:
        """What UpdateStatus was told last."""
        return self.called[-1]


def begin(machine: Json, data: Json) -> Walk:
    """Start an execution, and follow it as far as it goes without a decision."""
    return _onwards(machine, Walk(at=machine["StartAt"], data=data))


def decide(machine: Json, walk: Walk, outcome: str) -> Walk:
    """SendTaskSuccess with this decision."""
    state = machine["States"][walk.at]
    assert state["Resource"].endswith(".waitForTaskToken"), f"{walk.at} waits for nobody"
    output = {"order": walk.data["order"], "decision": {"outcome": outcome, "step": "stp_2"}}
    return _onwards(
        machine, Walk(at=state["Next"], data=_result(state, walk.data, output), called=walk.called)
    )


def fail(machine: Json, walk: Walk, error: str, times: int = 1) -> Walk:
    """SendTaskFailure with this error, again and again: the same task until its tries are used up."""
    state = machine["States"][walk.at]
    retrier = _first(state["Retry"], error)
    if retrier is not None and times <= retrier.get("MaxAttempts", 3):
        return walk
    catcher = _first(state.get("Catch", []), error)
    assert catcher is not None, f"the execution fails in {walk.at} with {error}"
    return _onwards(machine, Walk(at=catcher["Next"], data={"Error": error, "Cause": ""}, called=walk.called))


def waits(state: Json, error: str) -> list[float]:
    """Seconds between the tries of a task that fails so each time."""
    retrier = _first(state["Retry"], error)
    if retrier is None:
        return []
    longest = retrier.get("MaxDelaySeconds", float("inf"))
    first, rate = retrier.get("IntervalSeconds", 1), retrier.get("BackoffRate", 2.0)
    found, wait = [], float(first)
    for _ in range(retrier.get("MaxAttempts", 3)):
        found.append(wait)
        wait = min(wait * rate, longest)  # not rate ** n: it would be too large for a float
    return found


def _onwards(machine: Json, walk: Walk) -> Walk:
    """As far as the next task, or the end."""
    state = machine["States"][walk.at]
    if state["Type"] == "Choice":
        return _onwards(machine, Walk(at=_chosen(state, walk.data), data=walk.data, called=walk.called))
    if state["Type"] == "Task":
        context = {
            "Execution": {"Id": "exc_1", "StartTime": "2026-01-31T12:00:00.000Z"},
            "State": {"EnteredTime": "2026-01-31T12:00:01.000Z", "Name": walk.at},
            "Task": {"Token": "a token"},
        }
        payload = _filled(state["Parameters"]["Payload"], walk.data, context)
        return Walk(at=walk.at, data=walk.data, called=(*walk.called, payload))
    assert state["Type"] in ("Succeed", "Fail")
    return walk


def _chosen(state: Json, data: Json) -> str:
    for rule in state["Choices"]:
        if _at(rule["Variable"], data, {}) == rule["StringEquals"]:
            return str(rule["Next"])
    return str(state["Default"])


def _filled(template: Json, data: Json, context: Json) -> Json:
    return {
        name.removesuffix(".$"): _at(value, data, context) if name.endswith(".$") else value
        for name, value in template.items()
    }


def _at(path: str, data: Json, context: Json) -> Any:
    """A path as the machines use it: `$.a.b` in what is carried, `$$.A.B` in the context. KeyError as AWS's error."""
    found: Any = context if path.startswith("$$") else data
    for name in path.lstrip("$").removeprefix(".").split("."):
        found = found[name]
    return found


def _result(state: Json, data: Json, output: Json) -> Json:
    """ResultPath: without one the answer replaces everything, null keeps what was there."""
    assert state.get("ResultPath", "$") in ("$", None)
    return output if state.get("ResultPath", "$") == "$" else data


def _first(rules: list[Json], error: str) -> Mapping[str, Any] | None:
    """The first retrier or catcher that takes this error decides."""
    return next((rule for rule in rules if {error, "States.ALL"} & set(rule["ErrorEquals"])), None)

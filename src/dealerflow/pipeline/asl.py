"""A pipeline as a machine for AWS Step Functions, in the Amazon States Language (https://states-language.net).

The machine only waits and chooses; the truth is the order's row. An execution begins with the input
`{"order": id, "state": name, "decision": {"step": id, "outcome": null}}` at whichever state it names. Each state
is one task: it calls the function UpdateStatus, which enters the state in the database, and waits until somebody
has decided; an end does not wait. The answer, `{"order": id, "decision": {"outcome": name, …}}`, replaces all
that the execution carries, so it stays small however long the order lives.

`${UpdateStatus}` stands for the function's ARN, filled in where the machine is deployed (DefinitionSubstitutions
of AWS SAM). The query language is JSONPath, the default.
"""

from __future__ import annotations

import json
from typing import Any

from dealerflow.domain.errors import DealerflowError
from dealerflow.pipeline.definition import Action, Outcome, Pipeline, State, text_in

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
"""The parts of AWS that know nothing of each other. Step Functions wants the name of its own in what a task calls,
and validators want it spelt out, so it is no substitution."""

MAX_BYTES = 1_048_576  # Step Functions: the longest definition of a machine

SUPERSEDED = "Superseded"
"""The error with which UpdateStatus answers for an order that has been put elsewhere: this execution is over."""

# States of the machine that are not the pipeline's. Its own names have no capital letter, so none can be the same.
ENTRY = "Where the order stands"
UNKNOWN_STATE = "Unknown state"
UNKNOWN_OUTCOME = "Unknown outcome"

# An order may wait as long as its execution lives: Step Functions ends it after a year, and the order goes on in
# a new one (`audit --repair`). A shorter time-out would only cost tries. It is written out because the default,
# three years, promises more than is kept, and because emulators have another.
WAITS_S = 365 * 24 * 3600

# An outage of the database, or of UpdateStatus, costs delay and nothing else, as long as it ends within a day.
RETRIES_LAST_S = 24 * 3600
RETRY_FIRST_S = 2
RETRY_BACKOFF = 2.0
RETRY_LONGEST_S = 300


class TooLongForAws(DealerflowError):
    """The pipeline's state machine is longer than Step Functions takes."""


def asl_text(pipeline: Pipeline, partition: str = "aws") -> str:
    """The machine as JSON, the same for the same pipeline. Raises TooLongForAws (1 MiB)."""
    text = json.dumps(asl_of(pipeline, partition), indent=2, ensure_ascii=False) + "\n"
    size = len(text.encode())
    if size > MAX_BYTES:
        raise TooLongForAws(
            f"the state machine of {pipeline.id} has {size} bytes, and Step Functions takes {MAX_BYTES}"
        )
    return text


def asl_of(pipeline: Pipeline, partition: str = "aws") -> dict[str, Any]:
    """The machine as plain data."""
    states: dict[str, Any] = {ENTRY: _entry(pipeline)}
    for state in pipeline.states.values():
        states[state.name] = _end(state, partition) if state.final else _waiting(state, partition)
        if not state.final:
            states[_decided(state.name)] = _choice(state)
    return {
        "Comment": f"Dealerflow pipeline {pipeline.name}, version {pipeline.version}: {pipeline.id}",
        "StartAt": ENTRY,
        "States": {**states, **_ways_out(pipeline)},
    }


def _entry(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "Type": "Choice",
        "Comment": "An execution may begin anywhere: a new order, an imported or moved one, one that is repaired.",
        "Choices": [{"Variable": "$.state", "StringEquals": name, "Next": name} for name in pipeline.states],
        "Default": UNKNOWN_STATE,
    }


def _waiting(state: State, partition: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Comment": _comment(state),
        "Resource": f"arn:{partition}:states:::lambda:invoke.waitForTaskToken",
        "Parameters": _call(state, {"token.$": "$$.Task.Token"}),
        "TimeoutSeconds": WAITS_S,
        **_failures(),
        "Next": _decided(state.name),
    }


def _end(state: State, partition: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Comment": _comment(state),
        "Resource": f"arn:{partition}:states:::lambda:invoke",
        "Parameters": _call(state, {}),
        "ResultPath": None,
        **_failures(),
        "End": True,
    }


def _call(state: State, token: dict[str, str]) -> dict[str, Any]:
    """What UpdateStatus is told. Execution and time of entry name the entry: a retry repeats both."""
    return {
        "FunctionName": "${UpdateStatus}",
        "Payload": {
            "order.$": "$.order",
            "state": state.name,
            "decision.$": "$.decision",
            "execution.$": "$$.Execution.Id",
            "started.$": "$$.Execution.StartTime",
            "entered.$": "$$.State.EnteredTime",
            **token,
        },
    }


def _failures() -> dict[str, Any]:
    """Everything is tried again, but for being superseded, which no try will change."""
    return {
        "Retry": [
            {"ErrorEquals": [SUPERSEDED], "MaxAttempts": 0},
            {
                "ErrorEquals": ["States.ALL"],
                "IntervalSeconds": RETRY_FIRST_S,
                "BackoffRate": RETRY_BACKOFF,
                "MaxDelaySeconds": RETRY_LONGEST_S,
                "MaxAttempts": _attempts(),
            },
        ],
        "Catch": [{"ErrorEquals": [SUPERSEDED], "Next": SUPERSEDED}],
    }


def _attempts() -> int:
    """As many as it takes until the waits between them add up to `RETRIES_LAST_S`."""
    attempts, waited, wait = 0, 0.0, float(RETRY_FIRST_S)
    while waited < RETRIES_LAST_S:
        attempts, waited = attempts + 1, waited + wait
        wait = min(wait * RETRY_BACKOFF, RETRY_LONGEST_S)
    return attempts


def _choice(state: State) -> dict[str, Any]:
    decisions = "; ".join(_decision(outcome) for outcome in state.outcomes.values())
    return {
        "Type": "Choice",
        "Comment": decisions,
        "Choices": [
            {"Variable": "$.decision.outcome", "StringEquals": outcome.name, "Next": outcome.to}
            for outcome in state.outcomes.values()
        ],
        "Default": UNKNOWN_OUTCOME,
    }


def _ways_out(pipeline: Pipeline) -> dict[str, Any]:
    """Only what can be reached: AWS refuses a machine with anything else in it."""
    waits = any(not state.final for state in pipeline.states.values())
    return {
        SUPERSEDED: {
            "Type": "Succeed",
            "Comment": "The order was put elsewhere, and goes on in another execution.",
        },
        UNKNOWN_STATE: _failure(
            "UnknownState", "This pipeline has no state {}, where the order {} stands", "$.state"
        ),
        **({UNKNOWN_OUTCOME: _refused()} if waits else {}),
    }


def _failure(error: str, cause: str, what: str) -> dict[str, Any]:
    return {"Type": "Fail", "Error": error, "CausePath": f"States.Format('{cause}', {what}, $.order)"}


def _refused() -> dict[str, Any]:
    return _failure(
        "UnknownOutcome", "{} cannot be decided in the state where the order {} stands", "$.decision.outcome"
    )


def _decided(state: str) -> str:
    """The name of the choice behind a state; with its 40 characters well within the 80 that AWS allows."""
    return f"{state} decided"


def _comment(state: State) -> str:
    happens = ", ".join(_action(action) for action in state.actions) or "no actions"
    return f"{text_in(state.title, 'en')}: {happens}"


def _action(action: Action) -> str:
    words = [
        action.kind,
        action.target,
        action.template or "",
        "(first time)" if action.when == "first" else "",
    ]
    return " ".join(word for word in words if word)


def _decision(outcome: Outcome) -> str:
    how = "when the load departs, by" if outcome.via == "departure" else "by"
    return f"{outcome.name} {how} {' or '.join(outcome.by)}"

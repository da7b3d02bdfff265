"""Does every open order have a state machine outside that waits for it? What the auditor asks where there are such machines."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from dealerflow.application.records import Execution

FOLLOWED = "every open order has its state machine"

PATIENCE_MS = 15 * 60 * 1000  # in which an execution reports that it began, or is told what was decided
LOST_MS = (
    60 * 60 * 1000
)  # in which a decision reaches an execution that runs; it is told again every ten minutes
DAY_MS = 24 * 3600 * 1000
MOST_DAYS = 350  # Step Functions ends an execution after a year


class ExecutionStatuses(Protocol):
    """The service that runs the executions, as the auditor sees it. Raises Outage while it cannot be reached."""

    def ended(self, execution: str) -> str | None:
        """How the execution ended, in the service's word; None while it runs. One that is not known has ended."""


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """An open order at its step, and the execution that follows it, if any. `told_at`: when a decision that still waits
    to be carried out was sent.
    """

    order: str
    step: str
    execution: Execution | None
    told_at: int | None = None


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """No state machine waits for the order, or soon none will. Another one has to be started."""

    detail: str


Verdict = Literal["sound", "pending", "ask"] | Wrong
"""`ask`: only the service knows whether the execution still runs."""


def judge(one: Followed, now: int) -> Verdict:
    """Whether a state machine waits for the order. `now` in ms since the epoch."""
    execution = one.execution
    if execution is None:
        return Wrong(detail="it has no state machine, and none is about to be started")
    if execution.step != one.step:
        return Wrong(detail=f"its state machine stands at {execution.step}, the order at {one.step}")
    age = now - execution.started_at
    if age >= MOST_DAYS * DAY_MS:
        return Wrong(detail=f"its execution is {age // DAY_MS} days old; it ends by itself after a year")
    if execution.token is None:
        return "pending" if age < PATIENCE_MS else Wrong(detail="its execution has never reported")
    return "ask" if one.told_at is not None and now - one.told_at >= PATIENCE_MS else "sound"


def judge_ended(one: Followed, how: str | None, now: int) -> Verdict:
    """The same, once the service has said how the execution ended (None: it runs)."""
    if how is None:
        since = max(one.told_at or now, one.execution.started_at if one.execution else now)
        if now - since < LOST_MS:
            return "pending"
        return Wrong(
            detail="its execution runs, but cannot be told what was decided: it waits with another token"
        )
    return Wrong(detail=f"its execution has ended ({how}), and a decision waits to be carried out")

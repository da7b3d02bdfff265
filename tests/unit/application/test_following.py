"""Which open orders need another state machine: the decision alone, without AWS."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dealerflow.application.following import (
    DAY_MS,
    LOST_MS,
    MOST_DAYS,
    PATIENCE_MS,
    Followed,
    Verdict,
    Wrong,
    judge,
    judge_ended,
)
from dealerflow.application.records import Execution

NOW = 400 * DAY_MS
WAITS = Execution(order_id="ord_1", arn="arn:1", step="stp_2", started_at=NOW - DAY_MS, token="token")
SOUND = Followed(order="ord_1", step="stp_2", execution=WAITS)


def followed_by(**changes: object) -> Followed:
    return replace(SOUND, execution=replace(WAITS, **changes))


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (SOUND, "sound"),
        (replace(SOUND, told_at=NOW - PATIENCE_MS + 1), "sound"),
        (replace(SOUND, told_at=NOW - PATIENCE_MS), "ask"),
        (followed_by(token=None, started_at=NOW - PATIENCE_MS + 1), "pending"),
        (followed_by(started_at=NOW - MOST_DAYS * DAY_MS + 1), "sound"),
    ],
)
def test_a_state_machine_that_waits_where_the_order_stands_is_sound(one: Followed, verdict: Verdict) -> None:
    assert judge(one, NOW) == verdict


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (replace(SOUND, execution=None), "has no state machine"),
        (followed_by(step="stp_1"), "stands at stp_1, the order at stp_2"),
        (followed_by(token=None, started_at=NOW - PATIENCE_MS), "never reported"),
        (followed_by(started_at=NOW - MOST_DAYS * DAY_MS), "350 days old"),
    ],
)
def test_one_that_does_not_wait_there_is_to_be_replaced(one: Followed, says: str) -> None:
    verdict = judge(one, NOW)
    assert isinstance(verdict, Wrong)
    assert says in verdict.detail


def test_an_execution_that_has_ended_or_cannot_be_told_is_replaced_while_a_decision_waits() -> None:
    one = replace(SOUND, told_at=NOW - PATIENCE_MS)
    assert judge_ended(one, None, NOW) == "pending"
    verdict = judge_ended(one, "TIMED_OUT", NOW)
    assert isinstance(verdict, Wrong)
    assert "TIMED_OUT" in verdict.detail
    lost = judge_ended(replace(one, told_at=NOW - LOST_MS), None, NOW)
    assert isinstance(lost, Wrong)
    assert "cannot be told" in lost.detail
    just_replaced = followed_by(started_at=NOW - LOST_MS + 1)
    assert judge_ended(replace(just_replaced, told_at=NOW - LOST_MS), None, NOW) == "pending"

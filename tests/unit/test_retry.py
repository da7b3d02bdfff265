from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from dealerflow.application.queues import QueuePolicy
from dealerflow.application.retry import OUTAGE_FIRST_DELAY_MS, OUTAGE_MAX_DELAY_MS, Plan, plan

POLICY = QueuePolicy(max_attempts=4, first_delay_ms=500, max_delay_ms=5_000)
ALMOST_ONE = 1 - 2**-53
chances = st.floats(0, 1, exclude_max=True)


def test_the_delay_doubles_up_to_its_maximum() -> None:
    policy = QueuePolicy(max_attempts=99, first_delay_ms=500, max_delay_ms=5_000)
    longest = [plan(attempt, policy, False, lambda: ALMOST_ONE).delay_ms for attempt in (1, 2, 3, 4, 5)]
    assert longest == [999, 1_999, 3_999, 4_999, 4_999]


def test_a_message_is_buried_after_its_last_attempt() -> None:
    actions = [plan(attempt, POLICY, False, lambda: 0.5).action for attempt in (1, 3, 4, 5)]
    assert actions == ["retry", "retry", "bury", "bury"]
    assert plan(4, POLICY, False, lambda: 0.5) == Plan("bury", 0)


def test_an_outage_never_buries_and_is_never_left_alone_for_long() -> None:
    assert plan(10**6, POLICY, True, lambda: ALMOST_ONE).action == "retry"
    assert plan(10**6, POLICY, True, lambda: ALMOST_ONE).delay_ms < OUTAGE_MAX_DELAY_MS
    assert plan(1, POLICY, True, lambda: 0.0) == Plan("retry", OUTAGE_FIRST_DELAY_MS)


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.booleans(), chances)
def test_a_delay_lies_between_the_first_and_the_longest(
    attempt: int, one: int, other: int, outage: bool, chance: float
) -> None:
    policy = QueuePolicy(max_attempts=10**9 + 1, first_delay_ms=min(one, other), max_delay_ms=max(one, other))
    delay = plan(attempt, policy, outage, lambda: chance).delay_ms
    low = OUTAGE_FIRST_DELAY_MS if outage else policy.first_delay_ms
    high = OUTAGE_MAX_DELAY_MS if outage else policy.max_delay_ms
    assert low <= delay <= high


@given(chances, chances)
def test_messages_that_failed_together_come_back_apart(one: float, other: float) -> None:
    patient = QueuePolicy(max_attempts=99)
    delays = [plan(10, patient, False, partial(float, chance)).delay_ms for chance in (one, other)]
    assert delays[0] != delays[1] or abs(one - other) < 1e-5

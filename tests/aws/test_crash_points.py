"""Functions die: before and after every commit, every call of AWS and every acknowledgement. Nothing is lost or doubled.

The points are not listed here: they are those that a car comes by on its way. Each kind of point is tried once, with
DEALERFLOW_CRASH_POINTS=all every single one.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.aws.lives import Verdict, a_whole_life, verdict
from tests.aws.small import WEB
from tests.aws.small_installations import NewSmall

SHARES = 4  # so that several test processes can go through the points
# Nothing has happened there yet, and whoever asked is told so.
NOTHING_HAPPENED = (
    f"{WEB}: before commit",
    f"{WEB}: before sqs send small-orders",
    f"{WEB}: after sqs send small-orders",
)


@pytest.fixture
def clean(new_small: NewSmall) -> tuple[Verdict, list[str]]:
    """The verdict on a life in which nobody died, and the points that it came by."""
    with new_small() as small:
        dealerflow, _ = a_whole_life(small)
        points = [point for point in small.gate.passed if point not in NOTHING_HAPPENED]
        found = verdict(small, dealerflow)
    assert found[2] == []
    return found, points


@pytest.mark.parametrize("share", range(SHARES))
def test_a_death_at_any_point_changes_nothing(
    share: int, clean: tuple[Verdict, list[str]], new_small: NewSmall
) -> None:
    expected, points = clean
    seen: Counter[str] = Counter()
    numbered = [(point, seen[point]) for point in points if not seen.update([point])]
    chosen = numbered if os.environ.get("DEALERFLOW_CRASH_POINTS") == "all" else _one_of_each(numbered)
    for point, time in chosen[share::SHARES]:
        with new_small() as small:
            small.gate.kill_at(point, time=time)
            dealerflow, _ = a_whole_life(small)
            assert small.gate.deaths == [point], "nobody came by"
            assert verdict(small, dealerflow) == expected, point
            left = Counter(mail["Message-ID"] for mail in small.mailbox())
            # Only where the mail was handed over and the note of it was not may it be sent again, as the same message.
            most = (
                2
                if point == "notifications: after ses send" or "notifications: before commit" in point
                else 1
            )
            assert max(left.values()) <= most, point


def _one_of_each(numbered: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(dict(reversed(numbered)).items())

"""Messages come twice, late and in any order; executions report twice. What comes of it is what a clean life comes to."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.aws.in_small import InSmall
from tests.aws.lives import Verdict, a_whole_life, verdict
from tests.aws.small import Delivering
from tests.aws.small_installations import NewSmall

SEEDS = (1, 2, 3)


def lives(small: InSmall, expected: Verdict) -> None:
    dealerflow, _ = a_whole_life(small)
    assert verdict(small, dealerflow) == expected
    left = Counter(mail["Message-ID"] for mail in small.mailbox())
    assert set(left.values()) == {1}, "each mail left once"


def test_every_message_that_comes_twice_is_worked_once(small: InSmall, clean: Verdict) -> None:
    small.aws.delivering = Delivering(twice=True)
    lives(small, clean)


def test_every_execution_that_reports_twice_is_heard_once(small: InSmall, clean: Verdict) -> None:
    small.reports_twice = True
    lives(small, clean)


def test_the_newest_message_may_come_first(small: InSmall, clean: Verdict) -> None:
    small.aws.delivering = Delivering(newest_first=True)
    lives(small, clean)


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_may_come_twice_late_and_in_any_order(
    seed: int, new_small: NewSmall, clean: Verdict
) -> None:
    with new_small() as small:
        small.aws.delivering = Delivering(chance=Random(seed))
        small.reports_twice = True
        lives(small, clean)

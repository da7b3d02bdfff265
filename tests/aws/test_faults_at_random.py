"""Whatever may go wrong goes wrong at random, and all at once. What comes of it is what a clean life comes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from random import Random

import pytest

from tests.aws.in_small import InSmall
from tests.aws.lives import Verdict, a_whole_life, verdict
from tests.aws.small import WEB, Delivering
from tests.aws.small_installations import NewSmall

SEEDS = range(4)
SERVICES = ("sqs", "sns", "events", "states", "ses")
QUEUES = ("executions", "decisions", "events", "notifications", "payments")
LATELY = 200  # points that were passed


@contextmanager
def bad_luck(small: InSmall, luck: Random) -> Iterator[None]:
    """Services may be away, a queue may be worked by nobody, and a function may die somewhere."""
    if luck.random() < 0.35:
        small.gate.away |= set(luck.sample(SERVICES, luck.choice([1, 2])))
    if luck.random() < 0.2:
        small.unworked.add(luck.choice(QUEUES))
    points = sorted({point for point in small.gate.passed[-LATELY:] if not point.startswith(WEB)})
    if luck.random() < 0.2 and points:
        small.gate.kill_at(luck.choice(points), time=luck.choice([1, 2]))
    yield
    small.gate.away.clear()
    small.unworked.clear()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_car_is_handed_over_whatever_befalls_the_functions(
    seed: int, new_small: NewSmall, clean: Verdict
) -> None:
    with new_small() as small:
        luck = Random(seed)
        small.aws.delivering = Delivering(chance=luck)
        small.weather = partial(bad_luck, small, luck)
        dealerflow, _ = a_whole_life(small)
        assert small.gate.missed, "nothing was away"
        small.weather, small.gate.dies_at = nullcontext, None
        assert verdict(small, dealerflow) == clean

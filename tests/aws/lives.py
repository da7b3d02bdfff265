"""The life of one car, and the verdict on it: what must be the same, whatever goes wrong on the way."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.aws.in_small import InSmall
from tests.aws.small_installations import NewSmall
from tests.stories.driver import Order, People
from tests.stories.ledger import ledgers
from tests.stories.usual_way import take

LONGER_THAN_A_VISIBILITY_TIME = 15 * 60  # seconds

Verdict = tuple[str, Counter[str], list[object]]
"""Ledgers, letters by template, and what must be empty: the auditor's faults, and the queues where something still waits."""


def a_whole_life(small: InSmall) -> tuple[People, Order]:
    """A car that fails its quality check once, gets all its papers, and is handed over."""
    dealerflow = People(small)
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "quality_check", order)
    fails_its_check(dealerflow, order)
    take(dealerflow, "ended", order)
    return dealerflow, order


def fails_its_check(dealerflow: People, order: Order) -> None:
    """The quality check fails, and the car is reworked."""
    dealerflow.quality.decides(order, "fail", defects=["paint"])
    order.reaches("quality_failed")
    dealerflow.line_lead("A").decides(order, "rework")


def verdict(small: InSmall, dealerflow: People) -> Verdict:
    """What must be the same however it came about."""
    small.lets_time_pass(LONGER_THAN_A_VISIBILITY_TIME)
    logged = Counter(mail["template"] for mail in dealerflow.mails())
    return ledgers(dealerflow), logged, [*dealerflow.audit(), *small.aws.waiting(), *dead(small)]


def dead(small: InSmall) -> list[str]:
    """The ids of what lies in the dead-letter queues."""
    return [sent.id for url, lying in small.aws.queues.items() if url.endswith("-dead") for sent in lying]


_kept: list[Verdict] = []


@pytest.fixture
def clean(new_small: NewSmall) -> Verdict:
    """The verdict on a life in which nothing went wrong. It is lived once for all tests."""
    if not _kept:
        with new_small() as small:
            dealerflow, _ = a_whole_life(small)
            _kept.append(verdict(small, dealerflow))
        assert _kept[0][2] == []
    return _kept[0]

from __future__ import annotations

import pytest

from dealerflow.application.tries import Tries
from dealerflow.domain.errors import TooManyTries, Unauthenticated

MINUTE = 60_000


def fail(tries: Tries, name: str, now: int) -> None:
    with pytest.raises(Unauthenticated), tries.one(name, now):
        raise Unauthenticated


def test_after_its_last_try_a_name_has_to_wait() -> None:
    tries = Tries(3, MINUTE)
    for now in (0, 10, 20):
        fail(tries, "ana", now)
    with pytest.raises(TooManyTries) as refused, tries.one("ana", 30):
        pass
    assert refused.value.retry_after_s == 60


def test_it_may_try_again_when_its_first_try_is_long_ago() -> None:
    tries = Tries(3, MINUTE)
    for now in (0, 10, 20):
        fail(tries, "ana", now)
    with tries.one("ana", MINUTE):
        pass


def test_one_name_does_not_hold_up_another() -> None:
    tries = Tries(1, MINUTE)
    fail(tries, "ana", 0)
    fail(tries, "ben", 0)


def test_what_succeeds_does_not_count() -> None:
    tries = Tries(2, MINUTE)
    for now in range(10):
        with tries.one("ana", now):
            pass
    fail(tries, "ana", 20)


def test_tries_that_go_on_at_the_same_time_count() -> None:
    tries = Tries(2, MINUTE)
    with tries.one("ana", 0), tries.one("ana", 0), pytest.raises(TooManyTries), tries.one("ana", 0):
        pass


def test_an_outage_is_no_failed_try() -> None:
    tries = Tries(1, MINUTE)
    with pytest.raises(OSError, match="away"), tries.one("ana", 0):
        raise OSError("away")
    fail(tries, "ana", 1)

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dealerflow.adapters.security.passwords import AT_ONCE, MOST_WAITING, Argon2Hasher, random_id
from dealerflow.domain.errors import Unavailable

hasher = Argon2Hasher(memory_kib=8)


def test_a_password_is_known_by_its_hash() -> None:
    kept = hasher.hash("correct horse")
    assert kept.startswith("$argon2id$")
    assert hasher.verify(kept, "correct horse")
    assert not hasher.verify(kept, "battery staple")


def test_nobody_has_a_password() -> None:
    assert not hasher.verify(None, "")
    assert not hasher.verify(None, "demo")


def test_a_hash_that_is_none_lets_nobody_in() -> None:
    assert not hasher.verify("not a hash", "demo")


def test_two_hashes_of_one_password_differ() -> None:
    assert hasher.hash("demo") != hasher.hash("demo")


def test_what_does_not_fit_is_turned_away_at_once() -> None:
    """With every turn taken and every place to wait, the next one is refused without waiting."""
    busy = Argon2Hasher(memory_kib=8, at_once=1, most_waiting=0)
    kept = busy.hash("demo")
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with busy._turn():  # noqa: SLF001 - a try that takes as long as we like
            inside.set()
            leave.wait(10)

    with ThreadPoolExecutor() as threads:
        holding = threads.submit(hold)
        inside.wait(10)
        with pytest.raises(Unavailable):
            busy.verify(kept, "demo")
        leave.set()
        holding.result()
    assert busy.verify(kept, "demo")


def test_a_flood_of_tries_is_worked_a_few_at_a_time() -> None:
    kept = hasher.hash("demo")

    def try_it(_: int) -> bool | None:
        try:
            return hasher.verify(kept, "demo")
        except Unavailable:
            return None

    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(try_it, range(200)))
    assert answers.count(False) == 0
    assert answers.count(True) >= AT_ONCE + MOST_WAITING


def test_random_ids_are_long_and_differ() -> None:
    ids = {random_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(one) for one in ids} == {32}

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from dealerflow.adapters.clock import SystemClock, TimeIds

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def time_in(identifier: str) -> int:
    number = 0
    for digit in identifier.partition("_")[2][:10]:
        number = number * 32 + DIGITS.index(digit)
    return number


@given(st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=50))
def test_ids_grow_whatever_the_clock_does(times: list[int]) -> None:
    clock = iter(times)
    ids = TimeIds(lambda: next(clock))
    made = [ids.new("ord") for _ in times]
    assert made == sorted(set(made))
    assert [time_in(identifier) for identifier in made] == [
        max(times[: place + 1]) for place in range(len(times))
    ]


def test_an_id_is_its_prefix_its_time_and_chance() -> None:
    made = TimeIds(lambda: 1_767_225_600_000).new("pay")
    prefix, _, rest = made.partition("_")
    assert prefix == "pay"
    assert len(rest) == 26
    assert set(rest) <= set(DIGITS)
    assert time_in(made) == 1_767_225_600_000


def test_two_programs_make_different_ids_in_the_same_millisecond() -> None:
    assert TimeIds(lambda: 1).new("ord") != TimeIds(lambda: 1).new("ord")


def test_threads_that_share_ids_never_get_the_same_one() -> None:
    ids = TimeIds()
    with ThreadPoolExecutor(8) as threads:
        made = [
            one
            for many in threads.map(lambda _: [ids.new("x") for _ in range(2000)], range(8))
            for one in many
        ]
    assert len(set(made)) == len(made)


def test_the_clock_counts_milliseconds() -> None:
    assert 1_700_000_000_000 < SystemClock().now() < 2**48

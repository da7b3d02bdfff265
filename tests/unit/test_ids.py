from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dealerflow.adapters.clock import TimeIds
from dealerflow.domain.ids import DIGITS, end_of_id, made_at, short_number

ORDER = "ord_01k8x0zj5v3qk2m9r7t4w0y1ab"


@given(some.integers(min_value=0, max_value=2**48 - 1))
def test_an_id_tells_when_it_was_made(at: int) -> None:
    assert made_at(TimeIds(lambda: at).new("ord")) == at


@pytest.mark.parametrize("id_", ["", "ord_", "ord_00000001", "ord_" + "z" * 26, "ORD_" + "0" * 26, "0" * 26])
def test_what_was_not_made_like_an_id_tells_nothing(id_: str) -> None:
    assert made_at(id_) is None


def test_a_short_number_is_found_however_it_is_read_out_or_copied() -> None:
    assert short_number(ORDER) == "W0Y1AB"
    for typed in ("W0Y1AB", "w0y1ab", "#W0Y1AB", "  w0y1ab ", "WOY1AB", "woylab", "WOYIAB"):
        assert end_of_id(typed) == "w0y1ab", typed
        assert ORDER.endswith(str(end_of_id(typed)))


@pytest.mark.parametrize("text", ["", "w0y1a", "w0y1abc", "w0y1au", "w0y1a-", "w0y1aé", "##w0y1a", ORDER])
def test_what_cannot_be_a_short_number_is_none(text: str) -> None:
    assert end_of_id(text) is None


def test_ids_of_one_moment_have_different_short_numbers_of_the_digits_that_are_read() -> None:
    ids = TimeIds(lambda: 1_770_000_000_000)
    made = [ids.new("ord").removeprefix("ord_") for _ in range(100)]
    assert set("".join(made)) <= set(DIGITS)
    assert len({short_number(digits) for digits in made}) == 100

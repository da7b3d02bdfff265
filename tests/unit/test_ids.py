from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dealerflow.adapters.clock import TimeIds
from dealerflow.domain.ids import made_at


@given(some.integers(min_value=0, max_value=2**48 - 1))
def test_an_id_tells_when_it_was_made(at: int) -> None:
    assert made_at(TimeIds(lambda: at).new("ord")) == at


@pytest.mark.parametrize("id_", ["", "ord_", "ord_00000001", "ord_" + "z" * 26, "ORD_" + "0" * 26, "0" * 26])
def test_what_was_not_made_like_an_id_tells_nothing(id_: str) -> None:
    assert made_at(id_) is None

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dealerflow.adapters.database.search import folded, search_keys
from dealerflow.domain.orders import Customer


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  Ángela  GARCÍA ", "angela garcia"),
        ("Straße", "strasse"),
        ("Ñandú", "nandu"),
        ("Ελένη", "ελενη"),
        ("王 小明", "王 小明"),
        ("", ""),
    ],
)
def test_a_key_has_no_case_and_no_accents(text: str, key: str) -> None:
    assert folded(text) == key


def test_a_customer_is_found_by_each_beginning_that_people_know() -> None:
    keys = search_keys(Customer(name="María del Carmen López", email="Maria@Example.com"))
    assert keys == {
        "email_key": "maria@example.com",
        "name_key": "maria del carmen lopez",
        "surname_key": "del carmen lopez",
        "last_name_key": "lopez",
    }
    assert search_keys(Customer(name="Cher", email="c@example.com"))["surname_key"] is None


@given(some.text())
def test_a_key_is_its_own_key(text: str) -> None:
    assert folded(folded(text)) == folded(text)

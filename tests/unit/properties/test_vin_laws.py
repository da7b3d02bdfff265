from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st
from vininfo import Vin

from dealerflow.domain.vehicles import (
    MAX_SERIAL,
    check_digit,
    has_right_check_digit,
    is_wellformed,
    make_vin,
    vin_faults,
)

SIGNS = "".join(sign for sign in string.ascii_uppercase + string.digits if sign not in "IOQ")
# Makers without own decoding rules in the oracle, from several regions.
MAKERS = st.sampled_from(["1A9", "3B9", "9C9", "JD9", "SE9", "XD9", "YF9", "ZG9"])


@given(MAKERS, st.text(SIGNS, min_size=14, max_size=14))
def test_the_check_digit_is_the_one_that_vininfo_computes(maker: str, rest: str) -> None:
    vin = maker + rest
    right = vin[:8] + check_digit(vin) + vin[9:]

    assert Vin(right).verify_checksum(check_year=False)
    assert has_right_check_digit(right)
    assert has_right_check_digit(vin) == Vin(vin).verify_checksum(check_year=False)


@given(
    wmi=MAKERS,
    model=st.text(SIGNS, min_size=5, max_size=5),
    year=st.integers(1980, 2100),
    plant=st.sampled_from(SIGNS),
    serial=st.integers(1, MAX_SERIAL),
)
def test_every_made_vin_is_right_and_tells_its_year(
    wmi: str, model: str, year: int, plant: str, serial: int
) -> None:
    vin = make_vin(wmi, model, year, plant, serial)

    assert is_wellformed(vin)
    assert vin_faults(vin) == []
    assert Vin(vin).verify_checksum(check_year=True)
    assert any((year - shown) % 30 == 0 for shown in Vin(vin).years)
    assert int(vin[11:]) == serial


@given(
    st.text(string.digits, min_size=17, max_size=17),
    st.integers(0, 16).filter(lambda place: place != 8),
    st.integers(1, 9),
)
def test_one_wrong_digit_is_noticed(digits: str, place: int, shift: int) -> None:
    # Digits only: letters share values (A, J and 1 all count 1).
    right = digits[:8] + check_digit(digits) + digits[9:]
    wrong = str((int(right[place]) + shift) % 10)

    assert not has_right_check_digit(right[:place] + wrong + right[place + 1 :])


@given(st.text(max_size=20))
def test_a_vin_is_wellformed_if_and_only_if_it_has_no_faults(text: str) -> None:
    assert is_wellformed(text) == (vin_faults(text) == [])

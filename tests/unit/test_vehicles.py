from __future__ import annotations

import pytest

from dealerflow.domain.errors import Fault
from dealerflow.domain.vehicles import (
    check_digit,
    has_right_check_digit,
    is_wellformed,
    make_vin,
    normalised_vin,
    vin_faults,
    vin_warnings,
    year_code,
)

# Published examples: the first is the worked example of many descriptions of 49 CFR 565, the second is all ones.
RIGHT = ["1M8GDM9AXKP042788", "11111111111111111"]


@pytest.mark.parametrize("vin", RIGHT)
def test_known_vins_have_a_right_check_digit(vin: str) -> None:
    assert is_wellformed(vin)
    assert has_right_check_digit(vin)
    assert vin_faults(vin) == []
    assert vin_warnings(vin) == []


def test_a_made_vin_has_its_parts_in_their_places() -> None:
    vin = make_vin("XD9", "M1RA2", 2026, "M", 42)

    assert vin[:8] == "XD9M1RA2"
    assert vin[9:] == "TM000042"
    assert vin[8] == check_digit(vin)


@pytest.mark.parametrize(
    ("year", "code"),
    [(1980, "A"), (2000, "Y"), (2001, "1"), (2009, "9"), (2010, "A"), (2026, "T"), (2039, "9"), (2040, "A")],
)
def test_the_year_code_is_that_of_the_table(year: int, code: str) -> None:
    assert year_code(year) == code


@pytest.mark.parametrize(
    ("wmi", "model_code", "year", "plant", "serial"),
    [
        ("XD", "M1RA2", 2026, "M", 1),
        ("XDO", "M1RA2", 2026, "M", 1),
        ("XD9", "M1RA", 2026, "M", 1),
        ("XD9", "m1ra2", 2026, "M", 1),
        ("XD9", "M1RA2", 1979, "M", 1),
        ("XD9", "M1RA2", 2026, "", 1),
        ("XD9", "M1RA2", 2026, "MM", 1),
        ("XD9", "M1RA2", 2026, "M", 0),
        ("XD9", "M1RA2", 2026, "M", 1_000_000),
    ],
)
def test_parts_that_make_no_vin_are_refused(
    wmi: str, model_code: str, year: int, plant: str, serial: int
) -> None:
    with pytest.raises(ValueError, match=r"wmi|model_code|plant|serial|year"):
        make_vin(wmi, model_code, year, plant, serial)


def test_an_entered_vin_is_kept_without_spaces_and_in_capitals() -> None:
    assert normalised_vin(" 1m8 gdm9-axkp042788\n") == RIGHT[0]


def test_a_vin_of_wrong_length_and_with_wrong_letters_has_both_faults() -> None:
    assert vin_faults("IOQ", "/orders/3/vin") == [
        Fault("/orders/3/vin", "must have 17 characters, this has 3"),
        Fault("/orders/3/vin", "may hold only the letters A to Z without I, O and Q, and digits"),
    ]


@pytest.mark.parametrize("vin", ["", "1M8GDM9AXKP04278", "1M8GDM9AXKP0427888", "1m8gdm9axkp042788"])
def test_what_is_no_vin_is_not_wellformed(vin: str) -> None:
    assert not is_wellformed(vin)
    assert vin_faults(vin)


def test_a_wrong_check_digit_is_only_warned_of() -> None:
    doubtful = "1M8GDM9A5KP042788"

    assert vin_faults(doubtful) == []
    assert [warning.detail for warning in vin_warnings(doubtful)] == [
        'the check digit in position 9 is "5" and should be "X": please compare'
    ]

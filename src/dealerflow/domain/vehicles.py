"""Vehicles and their identification numbers (VIN).

Sources: ISO 3779 (structure, characters), ISO 3780 (the three characters that name the maker), 49 CFR
565.15 (check digit in position 9, model year in position 10, plant in position 11). Positions count from 1:

    1–3 maker (WMI)   4–8 model   9 check digit   10 model year   11 plant   12–17 serial number
"""

from __future__ import annotations

import re
from typing import Literal

from dealerflow.domain.errors import Fault

VehicleStatus = Literal[
    "building",  # it has its VIN and stands on a line, or waits for its check or its rework
    "built",  # it passed quality
    "scrapped",  # it is given up, the order gets another vehicle; its VIN is never used again
    "delivered",  # the customer has the keys
]

VIN_LENGTH = 17
MAX_SERIAL = 999_999  # six digits, positions 12–17
FIRST_YEAR = 1980  # the year codes begin here, with "A", and repeat every 30 years

_CHARACTERS = re.compile(r"[A-HJ-NPR-Z0-9]*")  # I, O and Q are left out: they read like 1 and 0
_YEAR_CODES = "ABCDEFGHJKLMNPRSTVWXY123456789"  # 49 CFR 565.15, table VII
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)  # table IV
_VALUES = {  # table III
    **{str(digit): digit for digit in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}


def make_vin(wmi: str, model_code: str, year: int, plant: str, serial: int) -> str:
    """A VIN with a right check digit.

    `wmi` has 3 characters, `model_code` 5, `plant` 1; `year` is the model year; `serial` counts from 1
    within maker, model, year and plant. Raises ValueError for parts that make no VIN: they come from
    settings and the catalogue, which are checked when they are read.
    """
    _need_characters("wmi", wmi, 3)
    _need_characters("model_code", model_code, 5)
    _need_characters("plant", plant, 1)
    if not 1 <= serial <= MAX_SERIAL:
        raise ValueError(f"serial {serial} is not between 1 and {MAX_SERIAL}")
    unchecked = f"{wmi}{model_code}0{year_code(year)}{plant}{serial:06d}"
    return f"{unchecked[:8]}{check_digit(unchecked)}{unchecked[9:]}"


def year_code(year: int) -> str:
    """Position 10: the model year's letter or digit, the same every 30 years (2026 → "T")."""
    if year < FIRST_YEAR:
        raise ValueError(f"there is no code for a model year before {FIRST_YEAR}: {year}")
    return _YEAR_CODES[(year - FIRST_YEAR) % len(_YEAR_CODES)]


def check_digit(vin: str) -> str:
    """Position 9 of a well-formed VIN as it should be, "0" to "9" or "X"; what is there does not count."""
    remainder = sum(_VALUES[sign] * weight for sign, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return "X" if remainder == 10 else str(remainder)


def is_wellformed(vin: str) -> bool:
    """17 characters, capital letters and digits, without I, O and Q."""
    return len(vin) == VIN_LENGTH and _CHARACTERS.fullmatch(vin) is not None


def has_right_check_digit(vin: str) -> bool:
    """Whether a well-formed VIN carries the check digit that its other characters ask for."""
    return vin[8] == check_digit(vin)


def normalised_vin(entered: str) -> str:
    """A VIN as people type it, with spaces, hyphens and small letters, in the form in which it is kept."""
    return re.sub(r"[\s-]", "", entered).upper()


def vin_faults(vin: str, pointer: str = "/vin") -> list[Fault]:
    """What makes an entered (and normalised) VIN unusable: its length and its characters."""
    found = []
    if len(vin) != VIN_LENGTH:
        found.append(Fault(pointer, f"must have {VIN_LENGTH} characters, this has {len(vin)}"))
    if not _CHARACTERS.fullmatch(vin):
        found.append(Fault(pointer, "may hold only the letters A to Z without I, O and Q, and digits"))
    return found


def vin_warnings(vin: str, pointer: str = "/vin") -> list[Fault]:
    """What looks wrong in a well-formed VIN but may be right: not every country asks for a check digit."""
    if has_right_check_digit(vin):
        return []
    detail = f'the check digit in position 9 is "{vin[8]}" and should be "{check_digit(vin)}": please compare'
    return [Fault(pointer, detail)]


def _need_characters(name: str, part: str, length: int) -> None:
    if len(part) != length or not _CHARACTERS.fullmatch(part):
        raise ValueError(f"{name} must be {length} of A–Z (without I, O, Q) and 0–9: {part!r}")

"""Ids: a prefix, "_", and 26 digits in the layout of a ULID: 48 bits of milliseconds since the epoch, then 80 random bits."""

from __future__ import annotations

import re

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
TIME_DIGITS = 10
SHORT_DIGITS = 6  # of an id (random ones): what people call an order or a load

_ID = re.compile(rf"[a-z]+_([0-7][{DIGITS}]{{25}})")
_SHORT = re.compile(rf"[{DIGITS}]{{{SHORT_DIGITS}}}")
_READ_AS = str.maketrans("oil", "011")


def made_at(id_: str) -> int | None:
    """When the id was made, in ms since the epoch; None if it was not made like this."""
    found = _ID.fullmatch(id_)
    if found is None:
        return None
    at = 0
    for digit in found[1][:TIME_DIGITS]:
        at = at * len(DIGITS) + DIGITS.index(digit)
    return at


def short_number(id_: str) -> str:
    """What pages and letters show of an id, e.g. "W6Y8AB": its end, which tells orders of one day apart."""
    return id_[-SHORT_DIGITS:].upper()


def end_of_id(text: str) -> str | None:
    """How an id ends whose short number somebody typed; None if this cannot be one.

    As people read it out or copy it: with or without #, in any case, o for 0 and i or l for 1 (Crockford).
    """
    typed = text.strip().removeprefix("#").lower().translate(_READ_AS)
    return typed if _SHORT.fullmatch(typed) else None

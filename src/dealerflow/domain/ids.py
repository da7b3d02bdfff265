"""Ids: a prefix, "_", and 26 digits in the layout of a ULID: 48 bits of milliseconds since the epoch, then 80 random bits."""

from __future__ import annotations

import re

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
TIME_DIGITS = 10

_ID = re.compile(rf"[a-z]+_([0-7][{DIGITS}]{{25}})")


def made_at(id_: str) -> int | None:
    """When the id was made, in ms since the epoch; None if it was not made like this."""
    found = _ID.fullmatch(id_)
    if found is None:
        return None
    at = 0
    for digit in found[1][:TIME_DIGITS]:
        at = at * len(DIGITS) + DIGITS.index(digit)
    return at

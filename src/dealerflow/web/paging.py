"""Query parameters that lists have in common. What cannot be understood is Malformed (400)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Any

import msgspec

from dealerflow.domain.errors import Malformed
from dealerflow.web.system import HttpRequest

MOST = 200
LARGEST = 2**63 - 1
LONGEST_TEXT = 200


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What part of a list is asked for: up to `limit` items behind `cursor` (None: from the start)."""

    limit: int
    cursor: tuple[Any, ...] | None = None


def paging(
    request: HttpRequest, *, default: int = 50, order: str = "", kinds: tuple[type, ...] = (str,)
) -> Page:
    """`limit` and `cursor`. The cursor must be one that `cursor_of` made for this `order`, with values of these kinds."""
    cursor = request.query_params.get("cursor")
    return Page(
        limit=whole_number(request, "limit", default=default, least=1, most=MOST),
        cursor=None if cursor is None else _values(cursor, order, kinds),
    )


def cursor_of(*values: str | int | None, order: str = "") -> str:
    """An opaque cursor behind the item with these values of its sort key."""
    raw = msgspec.json.encode([order, *values])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def whole_number(
    request: HttpRequest, name: str, *, default: int, least: int = 0, most: int = LARGEST
) -> int:
    """A query parameter that is a number, like `after`."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if given.isascii() and given.isdigit() and len(given) < 20 and least <= int(given) <= most:
        return int(given)
    raise Malformed(f"{name} must be a whole number from {least} to {most}")


def choice(
    request: HttpRequest, name: str, allowed: Collection[str], default: str | None = None
) -> str | None:
    """A query parameter that is one of a few, like `sort`."""
    given: str | None = request.query_params.get(name)
    if given is None:
        return default
    if given not in allowed:
        raise Malformed(f"{name} must be one of: {', '.join(allowed)}")
    return given


def text(request: HttpRequest, name: str, *, longest: int = LONGEST_TEXT) -> str | None:
    """A query parameter that is free text; an empty one is none."""
    given: str | None = request.query_params.get(name)
    if given is not None and len(given) > longest:
        raise Malformed(f"{name} must have at most {longest} characters")
    return given or None


def _values(cursor: str, order: str, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    try:
        made_for, *values = msgspec.json.decode(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list[str | int | None]
        )
    except (binascii.Error, ValueError, msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _unknown_cursor() from None
    fits = len(values) == len(kinds) and all(
        isinstance(v, kind) for v, kind in zip(values, kinds, strict=True)
    )
    if made_for != order or not fits or not all(map(_is_storable, values)):
        raise _unknown_cursor()
    return tuple(values)


def _is_storable(value: str | int | None) -> bool:
    return value.isprintable() if isinstance(value, str) else abs(value or 0) <= LARGEST


def _unknown_cursor() -> Malformed:
    return Malformed("cursor is not one that this list gave; start again without it")

"""Reading what people and programs send: JSON in; out comes a struct, or every fault that the JSON has.

    raw bytes ──parse──> value ──convert──> struct
                  │                 └──> Invalid (422): each fault with its JSON pointer, see `form_faults`
                  └──> TooLarge (413), Malformed (400): nothing that a pointer could point at

The standard library parses, not msgspec: it shows keys given twice, and numbers of any size can be refused
before they reach a database that cannot hold them. It costs five microseconds more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import msgspec

from dealerflow.domain.errors import Fault, Invalid, Malformed, TooLarge
from dealerflow.domain.form_faults import LARGEST_INTEGER, control_characters, form_faults

MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 32  # lists and objects within each other; our deepest form has 5

# What a control character looks like in JSON: an escape, or these bytes; raw ones below U+0020 are no JSON.
_CONTROL_ESCAPE = re.compile(rb"\\(?:[bfnrt]|u00(?:[01]|7[fF]|[89])|u202[89a-eA-E]|u206[6-9])")
_CONTROL_BYTES = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")

Form = TypeVar("Form")


class Examined(NamedTuple, Generic[Form]):
    """A body that is JSON: as it was sent (`value`), and as a struct. `form` is None if there are faults."""

    value: Any
    form: Form | None
    faults: list[Fault]


def decode(form_type: type[Form], raw: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Form:
    """The struct in this JSON. Raises TooLarge, Malformed, or Invalid with all faults at once."""
    _, form, faults = examine(form_type, raw, max_bytes=max_bytes)
    if form is None:
        raise Invalid(faults)
    return form


def examine(form_type: type[Form], raw: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Examined[Form]:
    """As `decode`, but gives the faults instead of raising them, for callers that have more to check."""
    value = parse(raw, max_bytes=max_bytes)
    try:
        form = msgspec.convert(value, form_type)
    except msgspec.ValidationError as error:
        # The second is for a type that msgspec knows better than `form_faults` does.
        return Examined(value, None, form_faults(form_type, value) or [Fault("", str(error))])
    if _may_hold_control_characters(raw) and (faults := form_faults(form_type, value)):
        return Examined(value, None, faults)
    return Examined(value, form, [])


def parse(raw: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Any:
    """The JSON value in these bytes. Integers beyond 64 bits become floats: no integer field takes them."""
    if len(raw) > max_bytes:
        raise TooLarge(f"The body has {len(raw)} bytes; at most {max_bytes} are taken.")
    if not raw.strip():
        raise Malformed("The body is empty: send JSON.")
    value = _load(raw)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _refuse_depth(value)
    if _SURROGATE_ESCAPE.search(raw):
        _refuse_lone_surrogates(value)
    return value


def _load(raw: bytes) -> Any:
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise Malformed(f"This is no UTF-8: byte {error.start} is wrong.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"This is no JSON: {error.msg} ({where}).") from None
    except RecursionError:
        raise _too_deep() from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    keys = [key for key, _ in pairs]
    doubled = next(key for key in keys if keys.count(key) > 1)
    raise Malformed(f"The key {doubled[:50]!a} is given twice in one object; give it once.")


def _integer(digits: str) -> int | float:
    if len(digits) <= len(str(-LARGEST_INTEGER)) and abs(value := int(digits)) <= LARGEST_INTEGER:
        return value
    return _number(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise Malformed(f"The number {digits[:20]}… is too large.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"This is no JSON: {name} is no JSON value.")


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return
    raise _too_deep()


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise Malformed("The body holds half of a surrogate pair, which is no character.") from None


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _too_deep() -> Malformed:
    return Malformed(f"The body is nested too deeply: at most {MAX_DEPTH} levels are taken.")


def _may_hold_control_characters(raw: bytes) -> bool:
    """Quick, and sometimes wrong: an escaped backslash before an "n" looks like a line break."""
    if b"\x7f" in raw or (b"\\" in raw and _CONTROL_ESCAPE.search(raw)):
        return True
    return not raw.isascii() and _CONTROL_BYTES.search(raw) is not None


__all__ = ["MAX_BODY_BYTES", "Examined", "control_characters", "decode", "examine", "form_faults", "parse"]

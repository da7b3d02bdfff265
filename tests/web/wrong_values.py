"""Every way in which a field can be wrong, found from the type that the field has.

A body that is right except for one thing comes out, with the pointer that must be named; "" where what is wrong has no
place in JSON (it is no JSON then, and the answer is 400).
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

Way = tuple[str | int, ...]

HUGE = 10**40
DEEP = 1_000
_RAW = "@raw@"  # stands where something goes that no encoder would write
_RAW_VALUES = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "half of a surrogate pair": rb'"\ud800"',
    "nested very deeply": b"[" * DEEP + b"]" * DEEP,
    "nothing": b"",
    "a number beyond floats": b"1e999",
}
_OF_KIND: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 7,
    "text": "some text",
    "list": ["some text"],
    "object": {"some": "thing"},
}


class Wrong(NamedTuple):
    """One wrong body: what is wrong with it, and where."""

    what: str
    pointer: str
    body: bytes
    statuses: frozenset[int]


REFUSED = frozenset({422})
NO_JSON = frozenset({400})


def wrong_bodies(form: Any, right: Any) -> Iterator[Wrong]:
    """Every body that is wrong in one way. `right` has every field of the form."""
    yield from _wrong(inspect.type_info(form), right, right, ())


def _wrong(
    shape: inspect.Type, right: Any, whole: Any, way: Way, extra: dict[str, Any] | None = None
) -> Iterator[Wrong]:
    if isinstance(shape, inspect.Metadata):
        yield from _wrong(shape.type, right, whole, way, dict(shape.extra or {}))
        return
    kinds = _kinds(shape)
    for kind, value in _OF_KIND.items():
        if kind not in kinds:
            yield _put(f"is {kind}", whole, way, value)
    for name, raw in _RAW_VALUES.items():
        if raw or not (way and isinstance(way[-1], int)):  # a list may well hold nothing
            yield _raw(f"is {name}", whole, way, raw)
    for member in shape.types if isinstance(shape, inspect.UnionType) else (shape,):
        inner, more = (
            (member.type, dict(member.extra or {}))
            if isinstance(member, inspect.Metadata)
            else (member, extra)
        )
        yield from _WAYS.get(type(inner), _no_more)(inner, right, whole, way, more or {})


def _no_more(*_: Any) -> Iterator[Wrong]:
    return iter(())


def _text(shape: inspect.StrType, right: Any, whole: Any, way: Way, extra: dict[str, Any]) -> Iterator[Wrong]:
    if not isinstance(right, str):
        return
    signs = [
        "\x00",
        "\x07",
        "\x7f",
        "\x9f",
        "\u202e",
        *([] if extra.get("multiline") else ["\n", "\t", "\u2028"]),
    ]
    for sign in signs:
        yield _put(f"holds U+{ord(sign):04X}", whole, way, f"{right}{sign}")
    if shape.max_length is not None:
        yield _put("is too long", whole, way, "x" * (shape.max_length + 1))
    if shape.min_length:
        yield _put("is empty", whole, way, "")
    if shape.pattern is not None:
        yield _put("is blank", whole, way, "  ")


def _number(
    shape: inspect.IntType, right: Any, whole: Any, way: Way, extra: dict[str, Any]
) -> Iterator[Wrong]:
    for value in (HUGE, -HUGE, 2**63, 1.5):
        yield _put(f"is {value}", whole, way, value)


def _choice(
    shape: inspect.LiteralType, right: Any, whole: Any, way: Way, extra: dict[str, Any]
) -> Iterator[Wrong]:
    if isinstance(right, str):
        yield _put("is none of the choices", whole, way, "nonsense")
        yield _put("is written in capitals", whole, way, right.upper())


def _list(
    shape: inspect.VarTupleType, right: Any, whole: Any, way: Way, extra: dict[str, Any]
) -> Iterator[Wrong]:
    if not isinstance(right, list):
        return
    if shape.max_length is not None:
        yield _put("has too many items", whole, way, right[:1] * (shape.max_length + 1))
    if shape.min_length:
        yield _put("has no items", whole, way, [])
    yield from _wrong(shape.item_type, right[0], whole, (*way, 0))


def _object(
    shape: inspect.StructType, right: Any, whole: Any, way: Way, extra: dict[str, Any]
) -> Iterator[Wrong]:
    yield _put("has a field that nobody knows", whole, (*way, "unheard_of"), "of")
    yield _put("has a field with a strange name", whole, (*way, "a/b~c"), "of")
    for field in shape.fields:
        name = field.encode_name
        assert name in right, f"the right body of {shape.cls} must have every field: {name} is missing"
        if field.required:
            yield _without(whole, (*way, name))
        yield from _wrong(field.type, right[name], whole, (*way, name))


_WAYS: dict[type[inspect.Type], Any] = {
    inspect.StrType: _text,
    inspect.IntType: _number,
    inspect.LiteralType: _choice,
    inspect.VarTupleType: _list,
    inspect.StructType: _object,
}


def _kinds(shape: inspect.Type) -> set[str]:
    """The JSON kinds that this type takes."""
    if isinstance(shape, inspect.Metadata):
        return _kinds(shape.type)
    if isinstance(shape, inspect.UnionType):
        return {kind for member in shape.types for kind in _kinds(member)}
    if isinstance(shape, inspect.LiteralType):
        return {"text"} if isinstance(shape.values[0], str) else {"number"}
    return _KINDS[type(shape)]


_KINDS: dict[type[inspect.Type], set[str]] = {
    inspect.AnyType: set(_OF_KIND),
    inspect.StrType: {"text"},
    inspect.BoolType: {"true"},
    inspect.NoneType: {"null"},
    inspect.IntType: {"number"},
    inspect.VarTupleType: {"list"},
    inspect.DictType: {"object"},
    inspect.StructType: {"object"},
}


def _put(what: str, whole: Any, way: Way, value: Any) -> Wrong:
    return Wrong(what, pointer(way), msgspec.json.encode(changed(whole, way, value)), REFUSED)


def _raw(what: str, whole: Any, way: Way, raw: bytes) -> Wrong:
    body = msgspec.json.encode(changed(whole, way, _RAW)).replace(f'"{_RAW}"'.encode(), raw)
    return Wrong(what, "", body, NO_JSON)


def _without(whole: Any, way: Way) -> Wrong:
    *before, last = way
    copied = deepcopy(whole)
    del _at(copied, tuple(before))[last]
    return Wrong("is missing", pointer(way), msgspec.json.encode(copied), REFUSED)


def changed(whole: Any, way: Way, value: Any) -> Any:
    """The same with another value at this place."""
    if not way:
        return value
    *before, last = way
    copied = deepcopy(whole)
    _at(copied, tuple(before))[last] = value
    return copied


def _at(value: Any, way: Way) -> Any:
    for part in way:
        value = value[part]
    return value


def pointer(way: Way) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in way)

"""Every fault of a JSON value against a struct's types, in plain words.

msgspec stops at the first fault; this walk takes the same types (as `msgspec.inspect` describes them) and
goes on. It runs only when something is wrong, or may be. Two keys of `msgspec.Meta(extra=…)` speak to it:
`{"multiline": True}` lets line breaks and tabs into a text, `{"say": "must …"}` is the fault's text for a
pattern.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import inspect

from dealerflow.domain.errors import Fault

LARGEST_INTEGER = 2**63 - 1  # what a column of the database holds
MAX_FAULTS = 100  # keeps the answer to a hostile body small
MAX_POINTED_KEY = 100  # a longer unknown key is told of at its object

# C0, DEL, C1; line and paragraph separators; and what turns the direction of a text, so that it reads as
# another.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_LINE_BREAKS = "\n\r\t\u2028\u2029"

_Extra = Mapping[str, Any]
_NOTHING: _Extra = {}


def form_faults(form_type: Any, value: Any, pointer: str = "") -> list[Fault]:
    """The faults of a parsed JSON value, at most MAX_FAULTS.

    There are none if and only if it converts to the type and holds no control characters.
    """
    return list(islice(_faults(_shape(form_type), value, pointer, _NOTHING), MAX_FAULTS))


def control_characters(text: str, *, multiline: bool = False) -> str | None:
    """What to say about the first control character in a text. PostgreSQL cannot store U+0000."""
    for match in _CONTROL.finditer(text):
        sign = match.group()
        if sign not in _LINE_BREAKS:
            return f"must not hold the control character U+{ord(sign):04X}"
        if not multiline:
            return "must be one line, without line breaks and tabs"
    return None


@lru_cache(maxsize=256)
def _shape(form_type: Any) -> inspect.Type:
    return inspect.type_info(form_type)


def _faults(shape: inspect.Type, value: Any, pointer: str, extra: _Extra) -> Iterator[Fault]:
    if isinstance(shape, inspect.Metadata):
        yield from _faults(shape.type, value, pointer, shape.extra or _NOTHING)
    elif not isinstance(shape, inspect.UnionType | inspect.LiteralType) and not _is_kind(shape, value):
        yield Fault(pointer, _wrong_kind(shape, value))
    elif check := _CHECKS.get(type(shape)):
        yield from check(shape, value, pointer, extra)


def _struct_faults(
    shape: inspect.StructType, value: dict[str, Any], pointer: str, _: _Extra
) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in shape.fields}
    for name, field in fields.items():
        if name in value:
            yield from _faults(field.type, value[name], _join(pointer, name), _NOTHING)
        elif field.required:
            yield Fault(_join(pointer, name), f"is missing: give {_expected(field.type)}")
    if shape.forbid_unknown_fields:
        yield from _unknown_faults(value, [*fields, shape.tag_field or ""], pointer)


def _unknown_faults(value: dict[str, Any], known: list[str], pointer: str) -> Iterator[Fault]:
    for key in value:
        if key in known:
            continue
        shown = key[:MAX_POINTED_KEY]
        near = difflib.get_close_matches(shown, known, 1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; known are: {', '.join(filter(None, known))}"
        where = _join(pointer, key) if shown == key else pointer
        yield Fault(where, f"{shown!a} is not known here{hint}")


def _literal_faults(shape: inspect.LiteralType, value: Any, pointer: str, _: _Extra) -> Iterator[Fault]:
    if not any(value == choice and type(value) is type(choice) for choice in shape.values):
        choices = ", ".join(str(choice) for choice in shape.values)
        yield Fault(pointer, f"must be one of: {choices}")


def _union_faults(shape: inspect.UnionType, value: Any, pointer: str, _: _Extra) -> Iterator[Fault]:
    """Those of the one member that the value was meant to be, or that it is none of them."""
    attempts = [list(_faults(member, value, pointer, _NOTHING)) for member in shape.types]
    if not all(attempts):
        return
    meant = [faults for member, faults in zip(shape.types, attempts, strict=True) if _is_kind(member, value)]
    if len(meant) == 1:
        yield from meant[0]
    else:
        yield Fault(pointer, _wrong_kind(shape, value))


def _text_faults(shape: inspect.StrType, value: str, pointer: str, extra: _Extra) -> Iterator[Fault]:
    shortest, longest = shape.min_length or 0, shape.max_length
    if said := control_characters(value, multiline=bool(extra.get("multiline"))):
        yield Fault(pointer, said)
    elif len(value) < shortest:
        yield Fault(
            pointer, "must not be empty" if not value else f"must have at least {shortest} characters"
        )
    elif longest is not None and len(value) > longest:
        yield Fault(pointer, f"is too long: at most {longest} characters, this has {len(value)}")
    elif shape.pattern is not None and not re.search(shape.pattern, value):
        yield Fault(pointer, str(extra.get("say") or f"does not match {shape.pattern}"))


def _number_faults(
    shape: inspect.IntType | inspect.FloatType, value: float, pointer: str, _: _Extra
) -> Iterator[Fault]:
    if isinstance(shape, inspect.IntType) and isinstance(value, float):
        far_out = abs(value) > LARGEST_INTEGER
        yield Fault(pointer, "is too large a number" if far_out else "must be a whole number")
        return
    limits = (
        (shape.ge is None or value >= shape.ge, f"must be at least {shape.ge}"),
        (shape.gt is None or value > shape.gt, f"must be more than {shape.gt}"),
        (shape.le is None or value <= shape.le, f"must be at most {shape.le}"),
        (shape.lt is None or value < shape.lt, f"must be less than {shape.lt}"),
        (
            not shape.multiple_of or value % shape.multiple_of == 0,
            f"must be a multiple of {shape.multiple_of}",
        ),
    )
    yield from (Fault(pointer, detail) for kept, detail in limits if not kept)


def _list_faults(
    shape: inspect.ListType | inspect.VarTupleType, value: list[Any], pointer: str, _: _Extra
) -> Iterator[Fault]:
    yield from _count_faults(len(value), shape.min_length, shape.max_length, pointer)
    for place, item in enumerate(value[: shape.max_length]):
        yield from _faults(shape.item_type, item, f"{pointer}/{place}", _NOTHING)


def _tuple_faults(shape: inspect.TupleType, value: list[Any], pointer: str, _: _Extra) -> Iterator[Fault]:
    yield from _count_faults(len(value), len(shape.item_types), len(shape.item_types), pointer)
    for place, (item_type, item) in enumerate(zip(shape.item_types, value, strict=False)):
        yield from _faults(item_type, item, f"{pointer}/{place}", _NOTHING)


def _dict_faults(shape: inspect.DictType, value: dict[str, Any], pointer: str, _: _Extra) -> Iterator[Fault]:
    yield from _count_faults(len(value), shape.min_length, shape.max_length, pointer)
    for key, item in value.items():
        where = _join(pointer, key)
        for fault in _faults(shape.key_type, key, where, _NOTHING):
            yield Fault(where, f"the key {fault.detail}")
        yield from _faults(shape.value_type, item, where, _NOTHING)


def _count_faults(count: int, least: int | None, most: int | None, pointer: str) -> Iterator[Fault]:
    if count < (least or 0):
        yield Fault(pointer, f"must have at least {least} item{'' if least == 1 else 's'}, this has {count}")
    elif most is not None and count > most:
        yield Fault(pointer, f"has too many items: at most {most}, this has {count}")


def _free_faults(_: inspect.AnyType, value: Any, pointer: str, __: _Extra) -> Iterator[Fault]:
    """A value of any kind is checked for control characters only."""
    if isinstance(value, str) and (said := control_characters(value, multiline=True)):
        yield Fault(pointer, said)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _free_faults(_, item, f"{pointer}/{place}", __)
    elif isinstance(value, dict):
        for key, item in value.items():
            if said := control_characters(key):
                yield Fault(_join(pointer, key), f"the key {said}")
            yield from _free_faults(_, item, _join(pointer, key), __)


def _is_kind(shape: inspect.Type, value: Any) -> bool:
    """Whether the value is of the JSON kind that this type asks for; a type without a kind takes any."""
    if isinstance(shape, inspect.Metadata):
        return _is_kind(shape.type, value)
    if isinstance(shape, inspect.LiteralType):
        return type(value) in map(type, shape.values)
    _, kinds = _KINDS.get(type(shape), _ANY_KIND)
    return type(value) in kinds


def _expected(shape: inspect.Type) -> str:
    if isinstance(shape, inspect.Metadata):
        return _expected(shape.type)
    if isinstance(shape, inspect.UnionType):
        return " or ".join(map(_expected, shape.types))
    if isinstance(shape, inspect.LiteralType):
        return " or ".join(f'"{choice}"' for choice in shape.values)
    return _KINDS.get(type(shape), _ANY_KIND)[0]


def _wrong_kind(shape: inspect.Type, value: Any) -> str:
    return f"must be {_expected(shape)}, not {_GIVEN[type(value)]}"


def _join(pointer: str, key: str) -> str:
    """RFC 6901: ~ and / in a key are written ~0 and ~1."""
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


_GIVEN: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_ANY_KIND: tuple[str, tuple[type, ...]] = ("a value", tuple(_GIVEN))
_KINDS: dict[type[inspect.Type], tuple[str, tuple[type, ...]]] = {
    inspect.StrType: ("a text", (str,)),
    inspect.BoolType: ("true or false", (bool,)),
    inspect.NoneType: ("null", (type(None),)),
    inspect.IntType: ("a whole number", (int, float)),  # a float is told apart in `_number_faults`
    inspect.FloatType: ("a number", (int, float)),
    inspect.StructType: ("an object", (dict,)),
    inspect.DictType: ("an object", (dict,)),
    inspect.ListType: ("a list", (list,)),
    inspect.VarTupleType: ("a list", (list,)),
    inspect.TupleType: ("a list", (list,)),
}
_CHECKS: dict[type[inspect.Type], Callable[[Any, Any, str, _Extra], Iterator[Fault]]] = {
    inspect.UnionType: _union_faults,
    inspect.LiteralType: _literal_faults,
    inspect.StrType: _text_faults,
    inspect.IntType: _number_faults,
    inspect.FloatType: _number_faults,
    inspect.StructType: _struct_faults,
    inspect.DictType: _dict_faults,
    inspect.ListType: _list_faults,
    inspect.VarTupleType: _list_faults,
    inspect.TupleType: _tuple_faults,
    inspect.AnyType: _free_faults,
}

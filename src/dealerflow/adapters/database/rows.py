"""Between rows and structs: a column for each field, JSON text for what is nested."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

S = TypeVar("S", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()


def to_json(value: Any) -> str:
    """JSON text of a struct or of plain values."""
    return _encoder.encode(value).decode()


def to_row(struct: msgspec.Struct, *, json: Collection[str] = ()) -> dict[str, Any]:
    """The struct's fields as column values; those named in `json` as JSON text (None stays None)."""
    row = {field: getattr(struct, field) for field in struct.__struct_fields__}
    for field in json:
        if row[field] is not None:
            row[field] = to_json(row[field])
    return row


def from_row(type_: type[S], row: sa.Row[Any], *, json: Collection[str] = ()) -> S:
    """A struct of the columns with its fields' names; those named in `json` are read from JSON text."""
    types = _field_types(type_)
    values = {name: value for name, value in row._mapping.items() if name in types}
    for field in json:
        if values[field] is not None:
            values[field] = msgspec.json.decode(values[field], type=types[field])
    return type_(**values)


@cache
def _field_types(type_: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(type_)}

"""What the queries have in common: one view of the database for a page, parts of joined rows, pages by key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.rows import from_row
from dealerflow.application.order_views import FactoryAtOnce
from dealerflow.application.queries import Page, PageRequest
from dealerflow.application.records import Line
from dealerflow.domain.quality import DefectCode

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One consistent view for several statements. Raises Outage when the database is away."""
    with transaction(engine, "read") as connection:
        if connection.dialect.name == "postgresql":
            # Otherwise each statement would see what was committed just before it.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def columns(table: sa.FromClause, prefix: str, type_: type[msgspec.Struct]) -> list[sa.ColumnElement[Any]]:
    """The table's columns that the struct has, named with a prefix so that joined tables do not mix."""
    names = _field_types(type_)
    return [column.label(prefix + column.name) for column in table.c if column.name in names]


def part(type_: type[S], row: sa.Row[Any], prefix: str, *, json: Collection[str] = ()) -> S:
    """The struct that stands in the columns with this prefix; those named in `json` are read from JSON text."""
    size = len(prefix)
    values = {name[size:]: value for name, value in row._mapping.items() if name.startswith(prefix)}
    types = _field_types(type_)
    for name in json:
        if values[name] is not None:
            values[name] = msgspec.json.decode(values[name], type=types[name])
    return type_(**values)


@cache
def _field_types(type_: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(type_)}


def behind(
    keys: Sequence[sa.ColumnElement[Any]], after: tuple[int | str, ...] | None, *, down: bool
) -> list[sa.ColumnElement[bool]]:
    """The condition that a row stands behind the key `after` in the order of `keys`; none at the start of a list."""
    if after is None:
        return []
    here, there = sa.tuple_(*keys), sa.tuple_(*(sa.literal(value) for value in after))
    return [here < there if down else here > there]


def page_of(
    rows: Sequence[T], page: PageRequest, key: Callable[[T], tuple[int | str, ...]]
) -> tuple[Sequence[T], tuple[int | str, ...] | None]:
    """The rows of a page, of one more than it holds, and its `next`."""
    if len(rows) <= page.limit:
        return rows, None
    shown = rows[: page.limit]
    return shown, key(shown[-1])


def paged(rows: Sequence[T], page: PageRequest, key: Callable[[T], tuple[int | str, ...]]) -> Page[T]:
    """The page of these rows, of which one more than it holds was read."""
    shown, more = page_of(rows, page, key)
    return Page(items=tuple(shown), next=more)


def factory_at_once(connection: sa.Connection) -> FactoryAtOnce:
    """Lines and defect codes, in two statements."""
    return FactoryAtOnce(read_lines(connection), read_defects(connection))


def read_lines(connection: sa.Connection) -> list[Line]:
    """All assembly lines, by id."""
    rows = connection.execute(sa.select(t.lines).order_by(t.lines.c.id))
    return [from_row(Line, row, json=("models",)) for row in rows]


def read_defects(connection: sa.Connection) -> list[DefectCode]:
    """All defect codes, in their order."""
    d = t.defect_codes.c
    rows = connection.execute(sa.select(d.code, d.title).order_by(d.rank, d.code))
    return [DefectCode(code=row.code, title=msgspec.json.decode(row.title)) for row in rows]

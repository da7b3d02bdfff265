"""Files that people import: JSON, or CSV from a spreadsheet. Both become plain values, and each fault says
where it stands.

In CSV the first row names the columns; a column `seller.name` is the field `name` of the field `seller`. An
empty cell is as good as none. What separates the cells may be a comma, a semicolon or a tab.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from dealerflow.domain.errors import Fault, Invalid, Malformed, TooLarge
from dealerflow.domain.form_faults import form_faults
from dealerflow.domain.forms import parse

MAX_FILE_BYTES = 64 * 1024 * 1024
FIRST_ROW = 2  # as a spreadsheet counts, below the names of the columns

Form = TypeVar("Form")
Cell = Callable[[str], Any]
"""Reads a cell. What it cannot read it gives back as it is, and the form says what it should have been."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds. `numbers` are the rows' numbers in a CSV file; None where it was JSON."""

    values: list[Any]
    columns: tuple[str, ...] = ()
    numbers: tuple[int, ...] | None = None

    def place(self, pointer: str) -> str:
        """Where a JSON pointer into `values` leads, in the words of the file: "row 4, column seller.name"."""
        row, _, way = pointer.removeprefix("/").partition("/")
        if self.numbers is None or not row.isdigit():
            return pointer
        field = way.replace("/", ".")
        column = next((name for name in self.columns if field == name or field.startswith(f"{name}.")), field)
        return f"row {self.numbers[int(row)]}" + (f", column {column}" if column else "")

    def refused(self, faults: Iterable[Fault]) -> Invalid:
        """The error that names all of these faults with their places in the file."""
        return Invalid([Fault(self.place(fault.pointer), fault.detail) for fault in faults])


def read_rows(raw: bytes, name: str, columns: Mapping[str, Cell]) -> Rows:
    """The rows of a file; `name` tells which kind it is (`….csv`, else JSON: a list).

    Raises TooLarge, Malformed (no JSON, no UTF-8), or Invalid (columns that nobody knows, rows with too many
    cells).
    """
    if name.lower().endswith(".csv"):
        return _read_csv(raw, columns)
    values = parse(raw, max_bytes=MAX_FILE_BYTES)
    if not isinstance(values, list):
        raise Malformed("The file must hold a list: [ {…}, {…} ].")
    return Rows(values=values)


def converted(rows: Rows, form: type[Form]) -> list[Form]:
    """The rows as structs. Raises Invalid with every fault of every row."""
    faults = [
        fault for number, value in enumerate(rows.values) for fault in form_faults(form, value, f"/{number}")
    ]
    if faults:
        raise rows.refused(faults)
    return [msgspec.convert(value, form) for value in rows.values]


def doubled(names: Sequence[str], field: str) -> Iterator[Fault]:
    """A fault for each row whose `field` was in an earlier row already."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in seen:
            yield Fault(f"/{place}/{field}", f'"{name}" is given twice; give it once')
        seen.setdefault(name, place)


def _read_csv(raw: bytes, columns: Mapping[str, Cell]) -> Rows:
    reader = csv.reader(io.StringIO(_text(raw), newline=""), delimiter=_delimiter(_text(raw)), strict=True)
    try:
        table = list(reader)
    except csv.Error as error:
        raise Malformed(f"The file is no CSV: {error} (row {reader.line_num}).") from None
    header = [name.strip() for name in table[0]] if table else []
    if faults := _header_faults(header, columns):
        raise Invalid(faults)
    numbered = [
        (number, cells) for number, cells in enumerate(table[1:], FIRST_ROW) if any(map(str.strip, cells))
    ]
    long = [number for number, cells in numbered if len(cells) > len(header)]
    if long:
        raise Invalid([Fault(f"row {number}", "has more cells than there are columns") for number in long])
    values = [_value(dict(zip(header, cells, strict=False)), columns) for _, cells in numbered]
    return Rows(values=values, columns=tuple(header), numbers=tuple(number for number, _ in numbered))


def _text(raw: bytes) -> str:
    if len(raw) > MAX_FILE_BYTES:
        raise TooLarge(f"The file has {len(raw)} bytes; at most {MAX_FILE_BYTES} are taken.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(
            f"The file is no UTF-8: byte {error.start} is wrong. Save it as “CSV UTF-8”."
        ) from None


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _header_faults(header: Sequence[str], columns: Mapping[str, Cell]) -> list[Fault]:
    known = f"known are: {', '.join(columns)}"
    if not header:
        return [Fault("row 1", f"must name the columns; {known}")]
    faults = [
        Fault("row 1", f'there is no column "{name}"; {known}') for name in header if name not in columns
    ]
    twice = {name for name in header if header.count(name) > 1}
    return faults + [Fault("row 1", f'the column "{name}" is there twice') for name in sorted(twice)]


def _value(cells: Mapping[str, str], columns: Mapping[str, Cell]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, cell in cells.items():
        if not cell.strip():
            continue
        inner = value
        *way, field = name.split(".")
        for step in way:
            inner = inner.setdefault(step, {})
        inner[field] = columns[name](cell.strip())
    return value


# --- cells
# ---------------------------------------------------------------------------------------------------------------


def text(cell: str) -> str:
    """As it is."""
    return cell


def whole(cell: str) -> Any:
    """A whole number."""
    return int(cell) if cell.removeprefix("-").isdecimal() and cell.isascii() and len(cell) < 19 else cell


def yes_no(cell: str) -> Any:
    """yes or no, true or false, 1 or 0."""
    return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(
        cell.lower(), cell
    )


def listed(cell: str) -> list[str]:
    """Values with a blank between them."""
    return cell.split()


def pairs(first: str, second: str, read: Cell = text) -> Cell:
    """`a:b c:d` as `[{first: a, second: b}, …]`, for instance terms: `production:20 handover:80`."""

    def cell_of_pairs(cell: str) -> list[Any]:
        return [
            {first: left, second: read(right)} if right else {first: left} for left, _, right in _split(cell)
        ]

    return cell_of_pairs


def _split(cell: str) -> Iterator[tuple[str, str, str]]:
    return (pair.partition(":") for pair in cell.split())

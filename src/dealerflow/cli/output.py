"""How commands show what they found: a table for people, JSON or CSV for programs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

SPREADSHEET_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def show(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, as_json: bool = False, as_csv: bool = False
) -> None:
    """Print rows. JSON has all that a row holds, CSV and the table the columns."""
    if as_json:
        say_json(list(rows))
    elif as_csv:
        _csv(columns, rows)
    else:
        _table(columns, rows)


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(text.decode() + "\n")


def shown_time(ms: int | None) -> str:
    """A time as RFC 3339, UTC; "" for none."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms is not None else ""


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell_of_csv(row.get(column)) for column in columns])


def _cell_of_csv(value: Any) -> str:
    """A text that a spreadsheet would take for a formula is marked as text: others may have entered it."""
    text = _cell(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(SPREADSHEET_FORMULA) else text


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=False)
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    # Not cut to the width of a terminal where there is none.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 10_000)
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(_cell, value))
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return str(value)

"""New number series, for a database that was put back to an earlier time.

What was issued in the lost time has been seen outside: its numbers must not be given again. So documents go on in series of
their own (`NORTHSIDE-2026-R1-000001`), and VINs behind a gap. Each opening is kept in the table `settings`, with who and why.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.engine import transaction
from dealerflow.domain.billing import DocumentKind, document_number

SKIPPED_VINS = 1_000  # serial numbers that may have been given out in the lost time
_COUNT = "restored"  # how often; what the numbers of documents hold
_OPENING = "restored-"  # with its number behind it


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """New series were opened for the so-and-so-many-th time. `at` ms since epoch."""

    number: int
    at: int
    by: str
    reason: str


class Numbers(NamedTuple):
    """Where one thing's numbers stand, and how they would go on after an opening."""

    what: str
    last: str
    next: str


def opened(connection: sa.Connection) -> int:
    """How often new series were opened."""
    known = sa.select(t.settings.c.value).where(t.settings.c.name == _COUNT)
    return int(connection.execute(known).scalar() or 0)


def openings(connection: sa.Connection) -> list[Opening]:
    """On record, oldest first."""
    kept = sa.select(t.settings.c.value).where(t.settings.c.name.startswith(_OPENING))
    found = [msgspec.json.decode(value, type=Opening) for value in connection.execute(kept).scalars()]
    return sorted(found, key=lambda opening: opening.number)


def preview(engine: sa.Engine) -> list[Numbers]:
    """What an opening would change: every series that goes on now, and the VINs of every plant."""
    with transaction(engine, "read") as connection:
        return [*_documents(connection), *_vins(connection)]


def _documents(connection: sa.Connection) -> list[Numbers]:
    now = opened(connection)
    s = t.number_series.c
    query = (
        sa.select(t.sellers.c.name, t.sellers.c.number_prefix, s.kind, s.year, s.last)
        .join(t.sellers, t.sellers.c.id == s.seller)
        .where(s.restored == now)
        .order_by(t.sellers.c.number_prefix, s.kind.desc(), s.year)
    )
    return [
        Numbers(
            what=f"{_WORDS[row.kind]} {row.year} of {row.name}",
            last=document_number(row.number_prefix, row.kind, row.year, row.last, now),
            next=document_number(row.number_prefix, row.kind, row.year, 1, now + 1),
        )
        for row in connection.execute(query)
    ]


_WORDS: dict[DocumentKind, str] = {"invoice": "invoices", "credit_note": "credit notes"}


def _vins(connection: sa.Connection) -> list[Numbers]:
    p = t.plants.c
    return [
        Numbers(
            what=f"serial numbers of vehicles of {row.name}",
            last=str(row.last_vin),
            next=str(row.last_vin + SKIPPED_VINS + 1),
        )
        for row in connection.execute(sa.select(p.name, p.last_vin).order_by(p.id))
    ]


def open_series(connection: sa.Connection, *, at: int, by: str, reason: str) -> int:
    """Open new series in the caller's transaction; for which time it is now."""
    # Locked by this first write, so that two at once are two openings, one after the other.
    connection.execute(sa.update(t.plants).values(last_vin=t.plants.c.last_vin + SKIPPED_VINS))
    number = opened(connection) + 1
    opening = Opening(number=number, at=at, by=by, reason=reason)
    connection.execute(sa.delete(t.settings).where(t.settings.c.name == _COUNT))
    rows = {_COUNT: str(number), f"{_OPENING}{number}": msgspec.json.encode(opening).decode()}
    connection.execute(
        sa.insert(t.settings), [{"name": name, "value": value} for name, value in rows.items()]
    )
    return number

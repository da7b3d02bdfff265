"""`new-series`: numbers go on where none was given, once somebody says so, and it is on record."""

from __future__ import annotations

import sqlalchemy as sa

from dealerflow.adapters.database import number_series
from dealerflow.adapters.database.number_series import SKIPPED_VINS
from dealerflow.adapters.database.tables import plants, sellers
from tests.unit.cli.conftest import Terminal


def running(terminal: Terminal) -> tuple[int, int]:
    """The next running number of the first seller, and in which series."""
    with terminal.system.database.begin() as work:
        seller = work.connection.execute(
            sa.select(sellers.c.id).where(sellers.c.number_prefix == "NORTHSIDE")
        ).scalar_one()
        return work.billing.next_running(seller, "invoice", 2026)


def last_vin(terminal: Terminal) -> int:
    with terminal.system.engine.connect() as connection:
        return int(connection.execute(sa.select(plants.c.last_vin)).scalar_one())


def test_it_only_shows_what_would_change_until_somebody_says_yes(terminal: Terminal) -> None:
    assert running(terminal) == (1, 0)
    before = last_vin(terminal)
    said = terminal.says("new-series")
    assert "NORTHSIDE-2026-000001" in said
    assert "NORTHSIDE-2026-R1-000001" in said
    assert str(before + SKIPPED_VINS + 1) in said
    assert "nothing was changed" in said
    assert (running(terminal), last_vin(terminal)) == ((2, 0), before)


def test_nothing_is_opened_without_a_reason(terminal: Terminal) -> None:
    assert "--reason" in terminal.refuses("new-series", "--yes", status=2)
    assert running(terminal) == (1, 0)


def test_numbers_go_on_in_new_series_and_who_opened_them_is_kept(terminal: Terminal) -> None:
    running(terminal)
    before = last_vin(terminal)
    assert "go on with R1" in terminal.says("new-series", "--yes", "--reason", "back to Sunday noon")
    assert (running(terminal), last_vin(terminal)) == ((1, 1), before + SKIPPED_VINS)
    assert "go on with R2" in terminal.says("new-series", "--yes", "--reason", "and once more")
    assert running(terminal) == (1, 2)
    with terminal.system.engine.connect() as connection:
        kept = number_series.openings(connection)
    assert [(one.number, one.reason) for one in kept] == [(1, "back to Sunday noon"), (2, "and once more")]
    assert all(one.by.startswith("command line") and one.at > 0 for one in kept)

    said = terminal.says("new-series")
    assert "back to Sunday noon" in said
    assert "NORTHSIDE-2026-R3-000001" in said

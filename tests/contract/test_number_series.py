"""New number series on PostgreSQL: whoever opens them, and however many at once, each opening is one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database import number_series
from dealerflow.adapters.database.engine import open_engine, transaction
from dealerflow.adapters.database.number_series import SKIPPED_VINS
from dealerflow.adapters.database.tables import metadata, plants, sellers
from dealerflow.adapters.database.tables import number_series as series

AT_ONCE = 4


@pytest.fixture
def engine(postgres_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(postgres_url, connections=AT_ONCE)
    metadata.create_all(engine)
    seller = {"id": "sel_1", "name": "Ana", "address": "-", "tax_id": "-", "country": "ES", "timezone": "UTC",
              "currency": "EUR", "tax_rate": 0, "number_prefix": "ANA"}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(plants).values(id="plt_1", name="Here", vin_code="A", last_vin=7))
        connection.execute(sa.insert(sellers).values(seller))
        connection.execute(sa.insert(series).values(seller="sel_1", kind="invoice", year=2026, last=41))
    yield engine
    engine.dispose()


def opens(engine: sa.Engine, reason: str) -> int:
    with transaction(engine) as connection:
        return number_series.open_series(connection, at=1, by="ana", reason=reason)


def test_what_is_shown_is_what_an_opening_brings(engine: sa.Engine) -> None:
    shown = number_series.preview(engine)
    assert [numbers[1:] for numbers in shown] == [
        ("ANA-2026-000041", "ANA-2026-R1-000001"),
        ("7", str(7 + SKIPPED_VINS + 1)),
    ]
    assert opens(engine, "once") == 1
    assert [numbers.last for numbers in number_series.preview(engine)] == [str(7 + SKIPPED_VINS)]


def test_openings_at_once_are_one_after_the_other(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        numbers = list(pool.map(lambda one: opens(engine, str(one)), range(AT_ONCE)))
    assert sorted(numbers) == [1, 2, 3, 4]
    with engine.connect() as connection:
        kept = number_series.openings(connection)
        assert connection.execute(sa.select(plants.c.last_vin)).scalar_one() == 7 + AT_ONCE * SKIPPED_VINS
    assert [one.number for one in kept] == [1, 2, 3, 4]
    assert sorted(one.reason for one in kept) == ["0", "1", "2", "3"]

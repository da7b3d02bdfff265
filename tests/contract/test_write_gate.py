"""Writers on one SQLite database take turns: a flood of one process does not keep another out."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database.engine import open_engine, transaction
from dealerflow.adapters.database.write_gate import WriteGate
from dealerflow.domain.errors import Outage

# Holds the write lock nearly all of the time, in transactions of 20 ms that follow each other at once.
FLOOD = """
    import sys, threading
    import sqlalchemy as sa
    from dealerflow.adapters.database.engine import open_engine, transaction

    engine, pause = open_engine(sys.argv[1]), threading.Event()
    print("flooding", flush=True)
    while True:
        with transaction(engine) as connection:
            connection.execute(sa.text("INSERT INTO written VALUES (1)"))
            pause.wait(0.02)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'gate.db'}"


def test_a_flood_of_one_process_does_not_keep_another_from_writing(url: str) -> None:
    engine = open_engine(url)
    with transaction(engine) as connection:
        connection.execute(sa.text("CREATE TABLE written (by INTEGER)"))
    flood = subprocess.Popen([sys.executable, "-c", textwrap.dedent(FLOOD), url], stdout=subprocess.PIPE)
    assert flood.stdout is not None
    try:
        assert flood.stdout.readline() == b"flooding\n"
        for _ in range(50):  # without turns SQLite's own waiting gives up within a few of these
            with transaction(engine) as connection:
                connection.execute(sa.text("INSERT INTO written VALUES (2)"))
    finally:
        flood.kill()
        flood.wait()
        flood.stdout.close()
    with transaction(engine, "read") as connection:
        count = sa.text("SELECT count(*) FROM written WHERE by = :by")
        flooded, written = (connection.execute(count, {"by": by}).scalar_one() for by in (1, 2))
    assert written == 50
    assert flooded > 0
    engine.dispose()


def test_who_gets_no_turn_is_told_that_the_database_is_away(tmp_path: Path) -> None:
    mine, other = (WriteGate(tmp_path / "gate.db", timeout_s=0.05) for _ in range(2))
    with other.passage(), pytest.raises(Outage, match="another process is writing"), mine.passage():
        pass
    with mine.passage():
        pass
    mine.close()
    other.close()

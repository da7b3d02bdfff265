from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dealerflow.adapters.database import schema, tables
from dealerflow.adapters.database.engine import open_engine, transaction

# SQLAlchemy cannot read back SQLite's indexes of expressions; their statements are compared.
pytestmark = pytest.mark.filterwarnings("ignore:.*expression-based index")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'migrated.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def differences(engine: sa.Engine) -> list[object]:
    with transaction(engine, "read") as connection:
        # Of SQLite the statements themselves are compared below; its reflected defaults are not what was
        # written.
        defaults = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(connection, opts={"compare_server_default": defaults})
        return list(compare_metadata(context, tables.metadata))


def test_the_migrations_make_what_the_tables_declare(engine: sa.Engine) -> None:
    assert schema.upgrade(engine)
    assert differences(engine) == []


def test_the_migrations_make_the_very_tables_that_are_declared(tmp_path: Path) -> None:
    def statements(engine: sa.Engine) -> set[tuple[str, ...]]:
        with transaction(engine, "read") as connection:
            rows = connection.execute(
                sa.text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            ).scalars()
            # The order of a table's constraints means nothing.
            return {tuple(sorted(re.split(r"\W+", sql))) for sql in rows if "alembic_version" not in sql}

    migrated = open_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    declared = open_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    schema.upgrade(migrated)
    with transaction(declared) as connection:
        tables.metadata.create_all(connection)
    assert statements(migrated) == statements(declared)
    migrated.dispose()
    declared.dispose()


def test_the_newest_revision_is_the_one_that_the_program_asks_for() -> None:
    assert ScriptDirectory(str(schema.SCRIPTS)).get_heads() == [schema.HEAD]


def test_a_database_as_it_should_be_is_left_alone(engine: sa.Engine) -> None:
    schema.upgrade(engine)
    with transaction(engine) as connection:
        connection.execute(sa.insert(tables.settings).values(name="kept", value="1"))
    assert not schema.upgrade(engine)
    with transaction(engine, "read") as connection:
        assert connection.execute(sa.select(tables.settings.c.value)).scalar() == "1"


def test_steps_can_be_taken_back_and_again(engine: sa.Engine) -> None:
    schema.upgrade(engine)
    schema.downgrade(engine)
    with transaction(engine, "read") as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    assert schema.revision(engine) is None
    assert schema.upgrade(engine)
    assert differences(engine) == []


def test_of_processes_that_start_at_once_one_takes_the_steps(url: str) -> None:
    engines = [open_engine(url) for _ in range(4)]
    gate, took = threading.Barrier(len(engines)), []

    def start(engine: sa.Engine) -> None:
        gate.wait()
        took.append(schema.upgrade(engine))

    threads = [threading.Thread(target=start, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == [False, False, False, True]
    assert differences(engines[0]) == []
    for engine in engines:
        engine.dispose()


def test_a_step_that_fails_leaves_nothing_behind(engine: sa.Engine) -> None:
    with transaction(engine) as connection:  # the last table that the first revision makes is in the way
        connection.execute(sa.text("CREATE TABLE webhook_deliveries (id TEXT)"))
    with pytest.raises(sa.exc.DBAPIError):
        schema.upgrade(engine)
    with transaction(engine, "read") as connection:
        assert sa.inspect(connection).get_table_names() == ["webhook_deliveries"]


def test_a_database_of_a_newer_program_is_refused(engine: sa.Engine) -> None:
    schema.upgrade(engine)
    with transaction(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.NewerSchema, match="newer version"):
        schema.upgrade(engine)

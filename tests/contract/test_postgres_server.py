"""The test server itself: stories rest on what it promises."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa

from tests.postgres import PostgresServer


def run(url: str, statement: str) -> list[int]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sa.text(statement))
        return [row[0] for row in result] if result.returns_rows else []


def test_each_test_gets_an_empty_database(postgres_url: str) -> None:
    assert run(postgres_url, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [
        0
    ]
    run(postgres_url, "CREATE TABLE cars (id integer)")


def test_a_database_can_be_copied_from_a_template(postgres: PostgresServer, postgres_url: str) -> None:
    run(postgres_url, "CREATE TABLE cars AS SELECT 7 AS id")
    copy = postgres.create_database(template=postgres_url.rpartition("?")[0].rpartition("/")[2])
    assert run(postgres.url(copy), "SELECT id FROM cars") == [7]
    postgres.drop_database(copy)


@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.kill], ids=["stopped", "killed"])
def test_what_was_committed_is_there_after_the_server_was(
    end: Callable[[PostgresServer], None], postgres: PostgresServer, postgres_url: str
) -> None:
    run(postgres_url, "CREATE TABLE cars AS SELECT 7 AS id")
    end(postgres)
    assert not postgres.running
    with pytest.raises(sa.exc.OperationalError):
        run(postgres_url, "SELECT id FROM cars")
    postgres.start()
    assert run(postgres_url, "SELECT id FROM cars") == [7]


def test_stopping_ends_connections_that_are_open(postgres: PostgresServer, postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        postgres.stop()
        with pytest.raises(sa.exc.OperationalError) as ended:
            connection.execute(sa.text("SELECT 1"))
    assert isinstance(ended.value.orig, psycopg.errors.AdminShutdown)

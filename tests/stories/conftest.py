"""The Dealerflow that a story is given: once on SQLite and once on PostgreSQL."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.stories import in_process as here
from tests.stories.aws_stack import Stack, aws_stack
from tests.stories.driver import Dealerflow
from tests.stories.ledger import check_ledgers
from tests.stories.on_aws import OnAws
from tests.stories.processes import Processes

__all__ = ["aws_stack"]

told = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def data_with_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with demo data on SQLite, to be copied."""
    data = tmp_path_factory.mktemp("stories") / "sqlite"
    here.prepared(data, here.sqlite_url(data))
    return data


@pytest.fixture(scope="session")
def database_with_demo(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A data directory with demo data, and its PostgreSQL database, to be copied."""
    postgres.start()
    data, database = tmp_path_factory.mktemp("stories") / "postgres", postgres.create_database()
    here.prepared(data, postgres.url(database))
    return data, database


@contextmanager
def on_sqlite(request: pytest.FixtureRequest, data: Path) -> Iterator[here.InProcess]:
    here.copied(request.getfixturevalue("data_with_demo"), data)
    away = partial(here.write_lock_held, data / "dealerflow.db")
    with here.InProcess(data, here.sqlite_url(data), away).running() as installation:
        yield installation


@contextmanager
def on_postgres(request: pytest.FixtureRequest, data: Path) -> Iterator[here.InProcess]:
    server: PostgresServer = request.getfixturevalue("postgres")
    server.start()
    template, database = request.getfixturevalue("database_with_demo")
    here.copied(template, data)
    copy = server.create_database(template=database)
    try:
        with here.InProcess(data, server.url(copy), partial(here.stopped, server)).running() as installation:
            yield installation
    finally:
        server.start()
        server.drop_database(copy)


@contextmanager
def served_on_sqlite(request: pytest.FixtureRequest, data: Path) -> Iterator[Processes]:
    away = partial(here.write_lock_held, data / "dealerflow.db")
    with Processes(data, here.sqlite_url(data), away).running() as installation:
        yield installation


@contextmanager
def served_on_postgres(request: pytest.FixtureRequest, data: Path) -> Iterator[Processes]:
    server: PostgresServer = request.getfixturevalue("postgres")
    url = request.getfixturevalue("postgres_url")
    with Processes(data, url, partial(here.stopped, server)).running() as installation:
        yield installation


@contextmanager
def on_aws(request: pytest.FixtureRequest, data: Path) -> Iterator[OnAws]:
    stack: Stack = request.getfixturevalue("aws_stack")
    with stack.with_demo() as installation:
        yield installation


ON_AWS = {"aws": on_aws}
IN_PROCESS = {"sqlite": on_sqlite, "postgresql": on_postgres}
SERVED = {"served-sqlite": served_on_sqlite, "served-postgresql": served_on_postgres}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "also_served: this story is also told to real processes")
    config.addinivalue_line("markers", "only_on_aws: this story is about what only AWS has")
    config.addinivalue_line(
        "markers", "same_ledgers_as(story): what goes wrong here changes nothing in the ledgers"
    )
    config.addinivalue_line("markers", "by_chance: who wins is chance, so the ledgers are not compared")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each story is told on both databases in this process, and on AWS; some, or with DEALERFLOW_STORIES=served all, to real
    processes too.
    """
    if "dealerflow" not in metafunc.fixturenames:
        return
    if metafunc.definition.get_closest_marker("only_on_aws") is not None:
        metafunc.parametrize("dealerflow", list(ON_AWS.values()), ids=list(ON_AWS), indirect=True)
        return
    served = metafunc.definition.get_closest_marker("also_served") is not None
    ways = {
        **IN_PROCESS,
        **ON_AWS,
        **(SERVED if served or os.environ.get("DEALERFLOW_STORIES") == "served" else {}),
    }
    metafunc.parametrize("dealerflow", list(ways.values()), ids=list(ways), indirect=True)


@pytest.fixture
def dealerflow(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Dealerflow]:
    """A Dealerflow with its demo data. A story that was told to its end leaves everything in order behind it."""
    with request.param(request, tmp_path / "data") as installation:
        dealerflow = Dealerflow(installation)
        yield dealerflow
        if request.node.stash.get(told, False):
            dealerflow.settles()
            assert dealerflow.audit() == []
            assert [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR] == []
            if request.node.get_closest_marker("by_chance") is None:
                check_ledgers(dealerflow, _story(request).removeprefix("test_"))


def _story(request: pytest.FixtureRequest) -> str:
    told_elsewhere = request.node.get_closest_marker("same_ledgers_as")
    return str(told_elsewhere.args[0] if told_elsewhere else request.node.originalname)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[told] = report.passed
    return report

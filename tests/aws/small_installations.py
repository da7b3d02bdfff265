"""Installations in small, over a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from dealerflow.pipeline.definition import Pipeline
from tests.aws.in_small import InSmall
from tests.postgres import PostgresServer
from tests.stories import in_process as here

NewSmall = Callable[..., AbstractContextManager[InSmall]]
"""With the pipeline that new orders follow, if it is not the standard one."""


@pytest.fixture(scope="session")
def demo_database(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PostgreSQL database with demo data, to be copied."""
    postgres.start()
    database = postgres.create_database()
    here.prepared(Path(tmp_path_factory.mktemp("small")) / "data", postgres.url(database))
    return database


@pytest.fixture
def new_small(postgres: PostgresServer, demo_database: str) -> NewSmall:
    """Makes an installation in small, as often as asked."""

    @contextmanager
    def make(pipeline: Pipeline | None = None) -> Iterator[InSmall]:
        copy = postgres.create_database(template=demo_database)
        try:
            with InSmall(postgres.url(copy), pipeline).running() as installation:
                yield installation
        finally:
            postgres.start()
            postgres.drop_database(copy)

    return make


@pytest.fixture
def small(new_small: NewSmall) -> Iterator[InSmall]:
    """One installation in small."""
    with new_small() as installation:
        yield installation

"""What the tests on AWS share: bundles that are built once a session, and the stack, deployed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.building import built
from tests.aws.emulator import Emulator
from tests.aws.lives import clean
from tests.aws.small_installations import demo_database, new_small, small

__all__ = ["build", "clean", "demo_database", "emulator", "new_small", "outputs", "small"]

STACK = "dealerflow"
NO_DATABASE = "postgresql+psycopg://nobody@/nothing?host=/nonexistent"


@pytest.fixture(scope="session")
def build() -> Path:
    """What `sam build` made of the sources as they are."""
    return built()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An AWS for tests that only look at it."""
    emulator = Emulator(tmp_path_factory.mktemp("emulator") / "log")
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def outputs(build: Path, emulator: Emulator) -> dict[str, str]:
    """The outputs of the stack, deployed without a database."""
    return emulator.deploy(STACK, build, {"DatabaseUrl": NO_DATABASE})

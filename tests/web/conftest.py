from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.harness import Client, running


@pytest.fixture
def anyone(tmp_path: Path) -> Iterator[Client]:
    """Somebody unknown, calling a fresh Dealerflow with demo data on SQLite."""
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path) as client:
        yield client

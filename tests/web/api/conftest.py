from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.harness import Client, running


@pytest.fixture(params=["sqlite", "postgresql"])
def everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """As `anyone`, once on each database."""
    url = f"sqlite:///{tmp_path / 'dealerflow.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with running(url, tmp_path) as client:
        yield client

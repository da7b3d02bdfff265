"""Taking the main database away for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.web.harness import Client


@contextmanager
def without_database(client: Client) -> Iterator[None]:
    """Every connection to the main database fails: its file is no database for a while."""
    file = Path(client.system.engine.url.database or "")
    aside = file.with_suffix(".aside")
    client.system.engine.dispose()
    file.rename(aside)
    file.mkdir()
    try:
        yield
    finally:
        client.system.engine.dispose()
        file.rmdir()
        aside.rename(file)

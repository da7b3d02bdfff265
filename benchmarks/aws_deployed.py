"""The real template on an emulator, with the demo's data in a PostgreSQL, for benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.aws.building import built
from tests.aws.emulator import Emulator
from tests.postgres import PostgresServer
from tests.stories import in_process
from tests.stories.on_aws import STACK, OnAws, post_office


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A stack that stands. `url`: of its database."""

    emulator: Emulator
    outputs: dict[str, str]
    url: str
    installation: OnAws


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A server of our own."""
    with tempfile.TemporaryDirectory(
        prefix="dealerflow-bench-", dir="/tmp"
    ) as name:  # a socket's path is short
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user
        (directory / "postgres").mkdir()
        server = PostgresServer(directory / "postgres")
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def demo_database(server: PostgresServer) -> Iterator[str]:
    """The URL of a database with the demo's data."""
    with tempfile.TemporaryDirectory() as name:
        url = server.url(server.create_database())
        in_process.prepared(Path(name) / "data", url)
        yield url


@contextmanager
def deployed() -> Iterator[Deployed]:
    """As long as the block lasts."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as closing:
        url = closing.enter_context(demo_database(closing.enter_context(postgres())))
        emulator = Emulator(Path(name) / "log")
        closing.callback(emulator.stop)
        outputs = emulator.deploy(STACK, built(), {"DatabaseUrl": url})
        catcher = post_office(emulator)
        closing.callback(catcher.stop)
        installation = OnAws(emulator, outputs, catcher, url, nullcontext)
        yield Deployed(emulator=emulator, outputs=outputs, url=url, installation=installation)

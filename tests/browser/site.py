"""Dealerflow over HTTP in this process, with the demo's data; its queues are worked when the test says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn

from dealerflow.composition.web import demo_people
from dealerflow.web.system import WebSystem
from tests.web.harness import WithRealIds

STARTS_WITHIN_S = 20


class Site:
    """A running site. `url` is where its pages are."""

    def __init__(self, system: WithRealIds, url: str) -> None:
        self.system = system
        self.url = url

    def process(self) -> None:
        """Work the spool and every queue until nothing is left to do."""
        self.system.process()


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class BrowsedSystem(WithRealIds):
    """As a demo shows itself: with its people on the pages."""

    def _web(self) -> WebSystem:
        return replace(super()._web(), demo_accounts=demo_people())


@contextmanager
def site_over(url: str, data: Path) -> Iterator[Site]:
    """A site on this empty database, on a free port, until the block ends."""
    system = BrowsedSystem(url, data)
    system.web.upkeep.step()  # so that the first visitor finds a catalogue
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(
            uvicorn.Config(system.app, log_config=None, lifespan="on", access_log=False, ws="none")
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            assert server.listening.wait(STARTS_WITHIN_S), "the site did not start"
            yield Site(system, f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()
            system.close()

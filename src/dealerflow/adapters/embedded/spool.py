"""Intake's own store on one machine: an append-only spool in `intake.db`, so that orders are taken while the database is down.

Only the web process writes, through one `SpoolWriter`: what waits together is committed together, and nobody is
answered before it is on disk. The drainer reads, in whatever process, and `prune` follows behind it.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pysqlite3 import dbapi2 as sqlite

from dealerflow.adapters.embedded.spool_reader import open_spool
from dealerflow.application.calls import KEPT_MS, KeyReused
from dealerflow.application.intake import Accepted, Done
from dealerflow.domain.errors import Outage, Unavailable
from dealerflow.domain.messages import AnyMessage

log = logging.getLogger(__name__)

MOST_TOGETHER = 1_000  # appends in one transaction: a few ms
PRUNED_AT_ONCE = 2_000  # rows deleted in one transaction, so that nobody waits long behind it
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (position INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency
    (key TEXT PRIMARY KEY, request TEXT NOT NULL, answer BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ix_idempotency_at ON idempotency (at);
CREATE TABLE IF NOT EXISTS snapshot (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, body BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class _Append:
    body: bytes
    at: int
    answer: bytes
    key: str | None
    request: str
    done: Done


@dataclass(frozen=True, slots=True)
class _Task:
    act: Callable[[Any], None]
    done: Callable[[Exception | None], None]


class SpoolWriter:
    """The one writer of a spool: a thread that commits in groups. Open and close it in one process only."""

    def __init__(self, path: Path, *, committed: Callable[[], None] = lambda: None) -> None:
        """`committed` is called (in the writer's thread) after each commit of orders: to wake the drainer."""
        self._path = path
        self._committed = committed
        self._waiting: queue.SimpleQueue[_Append | _Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._connection: Any = None
        self._last = 0
        self._closed = False
        self._door = threading.Lock()
        self._id = ""

    @property
    def id(self) -> str:
        """The spool's id, "" until it is opened."""
        return self._id

    @property
    def last(self) -> int:
        """The position of the newest order, 0 if there never was one."""
        return self._last

    def open(self) -> str:
        """Make or open the file and start writing; the spool's id. Raises Outage when the file cannot be used."""
        try:
            self._connect()
        except sqlite.Error as error:
            raise Outage(f"the spool {self._path} cannot be opened: {error}") from error
        (spool,) = self._connection.execute("SELECT value FROM meta WHERE name = 'spool'").fetchone()
        self._id = str(spool)
        self._thread.start()
        return self._id

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._door:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def append(
        self,
        message: AnyMessage,
        done: Done,
        *,
        at: int,
        answer: bytes = b"",
        key: str | None = None,
        request: str = "",
    ) -> None:
        """Append the message; `done` is called once, in the writer's thread, when it is on disk or cannot be.

        `at` in ms. With a `key` (caller, method, path and Idempotency-Key) the `answer` is kept: the same key with
        the same `request` (a hash of it) gives that answer again for a day, with another request it gives KeyReused.
        An error is given, not raised: Unavailable when nothing can be written now; then nothing was.
        """
        body = msgspec.json.encode(message)
        self._put(_Append(body, at, answer, key, request, done))

    def find(
        self, key: str, request: str, done: Callable[[Accepted | Exception | None], None], *, at: int
    ) -> None:
        """What an append with this key would give because the key is known; None if it is not. `done` and `at` as there."""
        asked = _Append(b"", at, b"", key, request, lambda _: None)
        found: list[Accepted | Exception] = []

        def look(connection: Any) -> None:
            found.extend(_again(asked, *earlier) for earlier in self._known(connection, [asked]).values())

        def answer(error: Exception | None) -> None:
            failed = Unavailable("orders cannot be taken at the moment") if error else None
            _tell(done, failed or (found[0] if found else None))

        self._put(_Task(look, answer))

    def prune(self, position: int) -> None:
        """Delete what is behind the drainer, up to and including `position`; a little at a time, soon."""

        def delete(connection: Any) -> None:
            gone = connection.execute(
                "DELETE FROM spool WHERE position IN (SELECT position FROM spool WHERE position <= ? ORDER BY position LIMIT ?)",
                (position, PRUNED_AT_ONCE),
            ).rowcount
            if gone == PRUNED_AT_ONCE and not self._closed:
                self.prune(position)

        self._soon(delete)

    def expire_keys(self, before: int) -> None:
        """Delete the idempotency keys used before this time (ms), soon: for the room they take, since old keys count no more."""
        self._soon(lambda connection: connection.execute("DELETE FROM idempotency WHERE at < ?", (before,)))

    def put_snapshot(self, number: int, body: bytes) -> None:
        """Keep this snapshot of catalogue and dealerships, unless a newer one is kept. Raises Unavailable."""
        self._now(
            lambda connection: connection.execute(
                "INSERT INTO snapshot VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET number = excluded.number,"
                " body = excluded.body WHERE excluded.number >= number",
                (number, body),
            )
        )

    def snapshot(self) -> tuple[int, bytes] | None:
        """The snapshot that is kept, with its number. Raises Unavailable."""
        found: list[tuple[int, bytes]] = []
        self._now(
            lambda connection: found.extend(
                connection.execute("SELECT number, body FROM snapshot").fetchall()
            )
        )
        return found[0] if found else None

    def sent_at(self, position: int) -> int | None:
        """When (ms) the order at this position, or else the next one, was accepted. Raises Unavailable."""
        found: list[tuple[int]] = []
        query = "SELECT at FROM spool WHERE position >= ? ORDER BY position LIMIT 1"
        self._now(lambda connection: found.extend(connection.execute(query, (position,)).fetchall()))
        return found[0][0] if found else None

    def _soon(self, act: Callable[[Any], None]) -> None:
        def warn(error: Exception | None) -> None:
            if error is not None and not self._closed:
                log.warning("spool: %s", error)

        self._put(_Task(act, warn))

    def _now(self, act: Callable[[Any], None]) -> None:
        answered: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._put(_Task(act, answered.put))
        error = answered.get()
        if error is not None:
            raise Unavailable("the spool cannot be used now") from error

    def _put(self, item: _Append | _Task) -> None:
        # Behind the end of the queue nobody would answer, and whoever asked would wait for ever.
        with self._door:
            if not self._closed:
                self._waiting.put(item)
                return
        item.done(Unavailable("Dealerflow is stopping"))

    # --- the writer's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        ending = False
        while not ending:
            appends, tasks, ending = self._gather()
            if appends:
                self._write(appends)
            for task in tasks:
                task.done(self._in_transaction(task.act))
        self._start_afresh()

    def _gather(self) -> tuple[list[_Append], list[_Task], bool]:
        appends: list[_Append] = []
        tasks: list[_Task] = []
        item = self._waiting.get()
        while True:
            if item is None:
                return appends, tasks, True
            (appends if isinstance(item, _Append) else tasks).append(item)  # type: ignore[arg-type]
            if len(appends) >= MOST_TOGETHER:
                return appends, tasks, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return appends, tasks, False

    def _write(self, appends: Sequence[_Append]) -> None:
        answers: list[Accepted | Exception] = []
        error = self._in_transaction(lambda connection: answers.extend(self._store(connection, appends)))
        if error is not None:
            log.warning("the spool cannot be written now: %s", error)
            answers = [Unavailable("orders cannot be taken at the moment") for _ in appends]
        else:
            self._last = (
                max((a.position or 0 for a in answers if isinstance(a, Accepted)), default=0) or self._last
            )
        for append, answer in zip(appends, answers, strict=True):
            _tell(append.done, answer)
        if error is None:
            self._committed()

    def _store(self, connection: Any, appends: Sequence[_Append]) -> list[Accepted | Exception]:
        known = self._known(connection, appends)
        answers: list[Accepted | Exception] = []
        rows: list[tuple[int, bytes, int]] = []
        keys: list[tuple[str, str, bytes, int]] = []
        for append in appends:
            if append.key is not None and append.key in known:
                answers.append(_again(append, *known[append.key]))
                continue
            position = self._last + len(rows) + 1
            rows.append((position, append.body, append.at))
            answers.append(Accepted(position=position, answer=append.answer))
            if append.key is not None:
                known[append.key] = append.request, append.answer
                keys.append((append.key, append.request, append.answer, append.at))
        connection.executemany("INSERT INTO spool (position, body, at) VALUES (?, ?, ?)", rows)
        if keys:
            connection.executemany(
                "INSERT OR REPLACE INTO idempotency (key, request, answer, at) VALUES (?, ?, ?, ?)", keys
            )
        return answers

    def _known(self, connection: Any, appends: Sequence[_Append]) -> dict[str, tuple[str, bytes]]:
        # Their age is looked at here: an old key that nobody deleted yet (a disk that was full) is free all the same.
        keys = {append.key: append.at - KEPT_MS for append in appends if append.key is not None}
        if not keys:
            return {}
        rows = connection.execute(
            "SELECT kept.key, kept.request, kept.answer FROM json_each(?) AS asked"
            " JOIN idempotency AS kept ON kept.key = asked.key AND kept.at > asked.value",
            (msgspec.json.encode(keys).decode(),),
        )
        return {key: (request, answer) for key, request, answer in rows}

    def _in_transaction(self, act: Callable[[Any], Any]) -> Exception | None:
        try:
            if self._connection is None:
                self._connect()
            self._connection.execute("BEGIN IMMEDIATE")
            act(self._connection)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whoever waits gets an answer, and the writer lives on
            self._start_afresh()
            return error
        return None

    def _start_afresh(self) -> None:
        # A failed commit may leave the transaction open, or the connection in doubt: the next use opens another.
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite.Error):
                connection.rollback()
            with suppress(sqlite.Error):
                connection.close()

    def _connect(self) -> None:
        self._connection = open_spool(self._path, "rwc")
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
            self._connection.execute(
                "INSERT INTO meta VALUES ('spool', ?) ON CONFLICT DO NOTHING",
                (f"spl_{secrets.token_hex(12)}",),
            )
            self._last = _last(self._connection)
        except sqlite.Error:
            self._start_afresh()
            raise


def _again(append: _Append, request: str, answer: bytes) -> Accepted | Exception:
    if request != append.request:
        return KeyReused()
    return Accepted(position=None, answer=answer, replayed=True)


def _tell(done: Callable[[Any], None], answer: Accepted | Exception | None) -> None:
    try:
        done(answer)
    except Exception:  # the asker is gone; the others still wait for their answers
        log.exception("nobody took the answer of the spool")


def _last(connection: Any) -> int:
    # SQLite's own counter: it also knows positions that were pruned since.
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'spool'").fetchone()
    return int(row[0]) if row else 0

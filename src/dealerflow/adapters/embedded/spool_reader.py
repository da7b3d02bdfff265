"""The spool as its drainer reads it, from any process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec
from pysqlite3 import dbapi2 as sqlite

from dealerflow.adapters.database.engine import OLDEST_SAFE_SQLITE
from dealerflow.application.ports import Spooled
from dealerflow.domain.errors import Outage
from dealerflow.domain.ids import made_at
from dealerflow.domain.messages import AnyMessage, PlaceOrder, Unreadable
from dealerflow.domain.orders import NewOrder

BUSY_TIMEOUT_S = 2.0
MOST_APART_MS = 1_000  # when an order was taken, by its row and by its id


def open_spool(path: Path, mode: str) -> Any:
    """A connection to the file; `mode` is SQLite's: "rw", or "rwc" to make it. Raises sqlite.Error."""
    if sqlite.sqlite_version_info < OLDEST_SAFE_SQLITE:
        raise RuntimeError(
            f"SQLite {sqlite.sqlite_version} can corrupt a spool that is read while it is written"
        )
    return sqlite.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


class SqliteSpoolReader:
    """`SpoolReader` on `intake.db`, from any process. While there is no file the spool is "" and empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Any = None
        self._file: tuple[int, int] | None = None
        self._decoder = msgspec.json.Decoder(AnyMessage)
        self._lock = threading.Lock()

    @property
    def spool(self) -> str:
        rows = self._rows("SELECT value FROM meta WHERE name = 'spool'")
        return str(rows[0][0]) if rows else ""

    def read(self, after: int, limit: int) -> list[Spooled]:
        rows = self._rows(
            "SELECT position, body FROM spool WHERE position > ? ORDER BY position LIMIT ?", (after, limit)
        )
        return [Spooled(position=position, message=self._decode(body)) for position, body in rows]

    def _decode(self, body: bytes) -> AnyMessage:
        try:
            message: AnyMessage = self._decoder.decode(body)
            return message
        except (msgspec.MsgspecError, RecursionError):
            # It passes on as it is, and ends among the dead letters: nothing accepted is dropped, or holds up the rest.
            return cast("AnyMessage", Unreadable(body=body.decode(errors="replace")))

    def last(self) -> int:
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'spool'")
        return int(rows[0][0]) if rows else 0

    def order(self, order_id: str) -> NewOrder | None:
        """The order as it was taken, if it is still here. Raises Outage.

        Its id tells when that was, so of a million that wait only those of that moment are looked at.
        """
        made = made_at(order_id)
        if made is None:
            return None
        of_that_moment = self._first_since(made - MOST_APART_MS), self._first_since(made + MOST_APART_MS + 1)
        found = self._rows(
            "SELECT body FROM spool WHERE position >= ? AND position < ? AND instr(body, ?)",
            (*of_that_moment, order_id.encode()),
        )
        messages = (self._decode(body) for (body,) in found)
        orders = (message.new for message in messages if isinstance(message, PlaceOrder))
        return next((new for new in orders if new.id == order_id), None)

    def _first_since(self, at: int) -> int:
        """The position of the first order that was taken then or later, or the one behind the last."""
        low, high = 0, self.last() + 1
        while low < high:
            middle = (low + high) // 2
            rows = self._rows(
                "SELECT position, at FROM spool WHERE position >= ? ORDER BY position LIMIT 1", (middle,)
            )
            if rows and rows[0][1] < at:
                low = rows[0][0] + 1
            else:
                high = middle
        return low

    def close(self) -> None:
        """Close the file. Reading again opens it again."""
        with self._lock:
            self._forget()

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock:
            try:
                if not self._look():
                    return []
                return list(self._connection.execute(query, values).fetchall())
            except sqlite.Error as error:
                self._forget()
                if "no such table" in str(error):  # its writer is just making it
                    return []
                raise Outage(f"the spool {self._path} cannot be read now: {error}") from error

    def _look(self) -> bool:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._forget()
            return False
        file = status.st_dev, status.st_ino
        if file != self._file:  # deleted and made anew: another spool
            self._forget()
            # Not "ro": a reader of a WAL file may have to make the shared-memory file beside it.
            self._connection = open_spool(self._path, "rw")
            self._connection.execute("PRAGMA query_only=ON")
            self._file = file
        return True

    def _forget(self) -> None:
        if self._connection is not None:
            with suppress(sqlite.Error):
                self._connection.close()
        self._connection, self._file = None, None

"""A consistent copy of a data directory while it is in use, and back.

The spool is copied before the database: an order that is in neither copy was taken later, none is lost
between the two. In a restored installation what was given out after the copy was made may be known outside
already: document numbers go on in new series, VINs behind a gap, and the spool counts on from where its
database has been.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pysqlite3 import dbapi2 as safe_sqlite

from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.number_series import open_series
from dealerflow.adapters.database.spool_positions import drained_to
from dealerflow.domain.errors import Conflict, NotFound

SPOOL = "intake.db"
DATABASE = "dealerflow.db"
NOT_COPIED = {"run", SPOOL, DATABASE}
_SIDE_FILES = ("-wal", "-shm", "-journal", ".write", ".wants")


def back_up(data: Path, target: Path) -> list[str]:
    """Copy the data directory into `target`, which must be empty or not exist; the names of what was copied.

    Raises NotFound where nothing has been served yet, Conflict where `target` is in use.
    """
    if not (data / SPOOL).exists():
        raise NotFound(f"there is nothing to back up in {data}")
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} is not empty; name a new directory")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)  # the signing secret and customers' data are in it
    return _copy(data, target)


def put_back(source: Path, data: Path) -> list[str]:
    """Copy a backup into an empty (or new) data directory. Raises NotFound, Conflict. `open_anew` comes next."""
    if not (source / SPOOL).exists():
        raise NotFound(f"there is no backup in {source}")
    if data.exists() and any(path.name not in NOT_COPIED - {SPOOL, DATABASE} for path in data.iterdir()):
        raise Conflict(f"{data} is not empty; restore into a new directory")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _copy(source, data)


def open_anew(engine: sa.Engine, data: Path, *, at: int, by: str, reason: str) -> int:
    """Let numbers go on where nothing was given out before; how often this installation has been restored."""
    with transaction(engine) as connection:
        restored = open_series(connection, at=at, by=by, reason=reason)
        with _opened(data / SPOOL, "rw") as spool:
            _count_on(connection, spool)
    return restored


def _copy(source: Path, target: Path) -> list[str]:
    copied = []
    for name in (SPOOL, DATABASE):
        if (source / name).exists():
            _copy_sqlite(source / name, target / name)
            copied.append(name)
    for path in _others(source):
        if path.is_dir():
            shutil.copytree(path, target / path.name, dirs_exist_ok=True, copy_function=_copy_if_there)
        else:
            shutil.copy2(path, target / path.name)
        copied.append(path.name)
    return copied


def _copy_if_there(source: str, target: str) -> None:
    """A mail is written under one name and delivered under another: what was just listed may have moved on."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def _others(source: Path) -> Iterator[Path]:
    side_files = {name + ending for name in (SPOOL, DATABASE) for ending in _SIDE_FILES}
    for path in sorted(source.iterdir()):
        if path.name not in NOT_COPIED | side_files:
            yield path


def _copy_sqlite(source: Path, target: Path) -> None:
    """All pages in one step: a reader's view, which holds up nobody who writes meanwhile."""
    with _opened(source, "ro") as there, _opened(target, "rwc") as here:
        there.backup(here)
        here.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as file:
        os.fsync(file.fileno())


class _opened:  # noqa: N801 - reads as a word
    """A connection that is closed at the end: SQLite's own context manager only commits."""

    def __init__(self, path: Path, mode: str) -> None:
        self._connection = safe_sqlite.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
        )

    def __enter__(self) -> Any:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _count_on(connection: sa.Connection, spool: Any) -> None:
    """The database may have drained more of the spool than the older copy of the spool holds: those
    positions are used up.
    """
    (spool_id,) = spool.execute("SELECT value FROM meta WHERE name = 'spool'").fetchone()
    position = drained_to(connection, spool_id)
    spool.execute("DELETE FROM spool WHERE position <= ?", (position,))
    known = spool.execute("SELECT seq FROM sqlite_sequence WHERE name = 'spool'").fetchone()
    if known is None:
        spool.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('spool', ?)", (position,))
    else:
        spool.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'spool'", (position,))

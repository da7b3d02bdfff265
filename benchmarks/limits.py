"""What the machine allows: the raw limits and the barest peers, measured in the same run as ours."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pysqlite3 import dbapi2 as sqlite

from benchmarks.load import take_orders

BATCH = 100


def _open(path: Path) -> sqlite.Connection:
    connection = sqlite.connect(str(path), isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def one_row_commits(directory: Path, commits: int = 4_000) -> float:
    """SQLite commits of one row each, with fsync, per second."""
    connection = _open(directory / "commits.db")
    connection.execute("CREATE TABLE written (body TEXT)")
    began = time.perf_counter()
    for _ in range(commits):
        connection.execute("INSERT INTO written VALUES ('x')")
    rate = commits / (time.perf_counter() - began)
    connection.close()
    return rate


def bare_queue(directory: Path, orders: int = 20_000) -> float:
    """A hand-written SQLite queue: claim 100, write an order row and a notification each, acknowledge; orders per second."""
    connection = _open(directory / "queue.db")
    for statement in (
        "CREATE TABLE queue (id INTEGER PRIMARY KEY, body TEXT, held INTEGER)",
        "CREATE INDEX ready ON queue (id) WHERE held IS NULL",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, body TEXT)",
        "CREATE TABLE notifications (id INTEGER PRIMARY KEY, of_order INTEGER)",
        "BEGIN",
    ):
        connection.execute(statement)
    connection.executemany("INSERT INTO queue (body) VALUES (?)", [('{"model": "meridian"}' * 20,)] * orders)
    connection.execute("COMMIT")
    began = time.perf_counter()
    while rows := _claim(connection):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", rows)
        connection.executemany("INSERT INTO notifications (of_order) VALUES (?)", [row[:1] for row in rows])
        connection.executemany("DELETE FROM queue WHERE id = ?", [row[:1] for row in rows])
        connection.execute("COMMIT")
    rate = orders / (time.perf_counter() - began)
    connection.close()
    return rate


def _claim(connection: sqlite.Connection) -> list[tuple[int, str]]:
    connection.execute("BEGIN IMMEDIATE")
    select = "SELECT id, body FROM queue WHERE held IS NULL ORDER BY id LIMIT ?"
    rows: list[tuple[int, str]] = connection.execute(select, (BATCH,)).fetchall()
    connection.executemany("UPDATE queue SET held = 1 WHERE id = ?", [row[:1] for row in rows])
    connection.execute("COMMIT")
    return rows


@contextmanager
def bare_server(directory: Path) -> Iterator[str]:
    """A bare ASGI application with group commit: decode, put on disk, answer 202. Gives its address."""
    command = [sys.executable, "-m", "benchmarks.bare_server", str(directory / "bare.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def bare_intake(directory: Path, seconds: float) -> dict[str, float]:
    """What that server takes."""
    with bare_server(directory) as url:
        return take_orders(url, seconds=seconds)

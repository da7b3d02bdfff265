"""The disk is full: no order is taken that cannot be kept, and as soon as there is room all goes on by itself."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from pysqlite3 import dbapi2 as sqlite

from tests.faults.served import Served, serving, wait_until
from tests.faults.told import people_of
from tests.faults.verdict import audit_is_clean
from tests.stories.driver import Order, People

DISK = "64m"
MOST_ORDERS = 2_000  # the write-ahead log may have room left for some
LONG_NOTE = "The customer has much to say. " * 60

Full = Callable[[Served], AbstractContextManager[None]]


@contextmanager
def no_room_for_longer_files(served: Served) -> Iterator[None]:
    """No file of the web process can grow. (It ignores SIGXFSZ, so a write fails with EFBIG.)"""
    web = served.child("web")
    assert web is not None
    before = resource.prlimit(web.pid, resource.RLIMIT_FSIZE)
    longest = (served.data / "intake.db-wal").stat().st_size
    resource.prlimit(web.pid, resource.RLIMIT_FSIZE, (longest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(web.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def no_room_on_the_disk(served: Served) -> Iterator[None]:
    """A file takes all that is left, and takes it again when something shrinks."""
    ballast = served.data / "ballast"
    try:
        with ballast.open("ab", buffering=0) as file:
            _fill(file.fileno())
        yield
    finally:
        ballast.unlink()


def _fill(file: int) -> None:
    for size in (1 << 20, 1 << 12):
        try:
            while True:
                os.write(file, bytes(size))
        except OSError:
            continue


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a small disk of its own, in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk; the other test of this file needs none")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def refused_in_the_end(people: People) -> tuple[list[Order], httpx.Response]:
    """Order until an order is refused: those that were taken, and the refusal."""
    taken: list[Order] = []
    for _ in range(MOST_ORDERS):
        form = {**people.customer.form_for("northside"), "note": LONG_NOTE}
        answer = people.anybody.asks("POST", "/orders", json=form)
        if answer.status_code != 202:
            return taken, answer
        taken.append(people.customer.knows(answer.json()))
    raise AssertionError("the disk does not get full")


def orders_are_refused_and_taken_again(served: Served, full: Full) -> None:
    with people_of(served) as people:
        before = [people.customer.orders("northside") for _ in range(5)]
        people.settles()
        with full(served):
            taken, refused = refused_in_the_end(people)
            assert refused.status_code == 503, refused.text
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["Retry-After"]) > 0
            wait_until(lambda: is_down(served), "readyz says that no orders can be taken")
            assert people.anybody.asks("GET", "/catalogue").status_code == 200

        wait_until(lambda: httpx.get(f"{served.url}/readyz").status_code == 200, "it recovers by itself")
        after = [people.customer.orders("harbour") for _ in range(5)]
        people.settles()
        orders = [*before, *taken, *after]
        assert Counter(order.state for order in orders) == {"order_placed": len(orders)}
        assert sum(queue["dead"] for queue in people.queues().values()) == 0
        assert audit_is_clean(served)["orders"] == len(orders)
    for name in ("dealerflow.db", "intake.db"):
        assert check(served.data / name) == [("ok",)]


def is_down(served: Served) -> bool:
    answer = httpx.get(f"{served.url}/readyz")
    return answer.status_code == 503 and "intake" in answer.json()["down"]


def check(database: Path) -> list[tuple[str]]:
    connection = sqlite.connect(str(database))
    try:
        found: list[tuple[str]] = connection.execute("PRAGMA integrity_check").fetchall()
        return found
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets one process limit another")
def test_intake_recovers_when_its_files_may_grow_again(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as served:
        orders_are_refused_and_taken_again(served, no_room_for_longer_files)


def test_everything_recovers_when_a_full_disk_has_room_again(small_disk: Path) -> None:
    with serving(small_disk / "data") as served:
        orders_are_refused_and_taken_again(served, no_room_on_the_disk)

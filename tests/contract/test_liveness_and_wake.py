"""Who is alive, and who is woken: over files on one machine, and over PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dealerflow.adapters.embedded.liveness import DirectoryLock, FileLiveness, FileLock, Liveness
from dealerflow.adapters.embedded.postgres import (
    CONNECT_TIMEOUT_S,
    GRACE_S,
    PostgresBell,
    PostgresListener,
    PostgresLiveness,
)
from dealerflow.adapters.embedded.wake import Bell, Bells, FifoBell, FifoListener, Wake
from dealerflow.domain.errors import Conflict, Outage
from tests.postgres import PostgresServer

LONG_S = 30.0

HOLD_UNTIL_KILLED = """
import sys, pathlib
from dealerflow.adapters.embedded.liveness import FileLiveness
from dealerflow.adapters.embedded.postgres import PostgresLiveness
kind, where, owner = sys.argv[1:]
liveness = FileLiveness(pathlib.Path(where), owner) if kind == "files" else PostgresLiveness(where, owner)
liveness.hold()
print("holding", flush=True)
sys.stdin.read()
"""


@dataclass
class Place:
    """Where workers meet: `where` is a run directory or a database."""

    kind: str
    where: str

    def liveness(self, owner: str | None = None) -> Liveness:
        if self.kind == "files":
            return FileLiveness(Path(self.where), owner)
        return PostgresLiveness(self.where, owner)

    def process(self, owner: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD_UNTIL_KILLED, self.kind, self.where, owner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "holding\n"
        return child


@pytest.fixture(params=["files", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "files":
        return Place("files", str(tmp_path / "run"))
    return Place("postgresql", request.getfixturevalue("postgres_url"))


def gone(check: Callable[[], set[str]], owner: str) -> bool:
    """Whether `owner` disappears; a server may need a moment to see that its client died."""
    return any(owner not in check() for _ in range(10_000))


def test_who_holds_is_alive_and_who_released_is_not(place: Place) -> None:
    one, two = place.liveness(), place.liveness()
    one.hold()
    two.hold()
    one.hold()
    assert one.alive() == two.alive() == {one.owner, two.owner}
    two.release()
    assert gone(one.alive, two.owner)
    one.release()
    one.release()


def test_two_starts_are_two_owners(place: Place) -> None:
    assert place.liveness().owner != place.liveness().owner


def test_a_killed_worker_is_dead_at_once(place: Place) -> None:
    watching = place.liveness()
    watching.hold()
    child = place.process("worker-that-dies")
    assert "worker-that-dies" in watching.alive()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert gone(watching.alive, "worker-that-dies")
    watching.release()


def test_after_an_outage_nobody_is_taken_for_dead_too_early(
    postgres: PostgresServer, postgres_url: str
) -> None:
    now = [100.0]
    liveness = PostgresLiveness(postgres_url, monotonic=lambda: now[0])
    liveness.hold()
    postgres.stop()
    with pytest.raises(Outage):
        liveness.hold()
    with pytest.raises(Outage):
        liveness.alive()
    postgres.start()
    liveness.hold()
    with pytest.raises(Outage):
        liveness.alive()
    now[0] += GRACE_S
    assert liveness.alive() == {liveness.owner}
    liveness.release()


def test_a_file_lock_has_one_holder(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "run" / "a.lock"), FileLock(tmp_path / "run" / "a.lock")
    assert one.acquire()
    assert one.acquire()
    assert not two.acquire()
    one.release()
    assert two.acquire()
    two.release()


def test_a_second_serve_on_one_directory_is_refused(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    first.acquire()
    with pytest.raises(Conflict, match="already serves"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


# --- waking ----------------------------------------------------------------------------------------------------------


def test_a_ring_wakes_who_waits_for_that_queue(tmp_path: Path) -> None:
    wake = Wake()
    mail, other = wake.heard("mail"), wake.heard("other")
    wake.ring(["mail"])
    assert wake.wait("mail", mail, 0)
    assert not wake.wait("other", other, 0)
    wake.ring()
    assert wake.wait("other", other, 0)


@pytest.fixture(params=["files", "postgresql"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Bell, Wake]]:
    wake = Wake()
    if request.param == "files":
        bell, listener = FifoBell(tmp_path / "run"), FifoListener(tmp_path / "run", "w1", wake)
        listener.start()
        yield bell, wake
        bell.close()
        listener.stop()
        return
    url = request.getfixturevalue("postgres_url")
    ready = wake.heard("anything")
    far_bell, far_listener = PostgresBell(url), PostgresListener(url, wake)
    far_listener.start()
    assert wake.wait("anything", ready, LONG_S)  # it rings once for what was committed before it listened
    yield far_bell, wake
    far_bell.close()
    far_listener.stop()


def test_a_ring_reaches_another_process(heard: tuple[Bell, Wake]) -> None:
    bell, wake = heard
    before, other = wake.heard("mail"), wake.heard("other")
    bell.ring(["mail", "orders"])
    assert wake.wait("mail", before, LONG_S)
    assert wake.heard("other") == other
    bell.ring()
    assert wake.wait("other", other, LONG_S)


def test_a_ring_for_more_queues_than_fit_is_a_ring_for_all(heard: tuple[Bell, Wake]) -> None:
    bell, wake = heard
    before = wake.heard("mail")
    bell.ring([f"deliveries-{number}" for number in range(2_000)])
    assert wake.wait("mail", before, LONG_S)


def test_several_bells_ring_as_one(heard: tuple[Bell, Wake]) -> None:
    bell, wake = heard
    mine = Wake()
    near, far = mine.heard("mail"), wake.heard("mail")
    Bells(mine, bell).ring(["mail"])
    assert mine.wait("mail", near, 0)
    assert wake.wait("mail", far, LONG_S)


def test_ringing_where_nobody_listens_does_nothing(tmp_path: Path) -> None:
    FifoBell(tmp_path / "nowhere").ring(["mail"])
    PostgresBell(f"postgresql+psycopg://nobody@/none?host={tmp_path}").ring(["mail"])


def test_a_database_server_that_has_frozen_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # it lets callers in, and says nothing
        bell = PostgresBell(f"postgresql+psycopg://nobody@127.0.0.1:{frozen.getsockname()[1]}/none")
        began = time.monotonic()
        for _ in range(1_000):
            bell.ring(["mail"])
        bell.close()
        assert time.monotonic() - began < CONNECT_TIMEOUT_S / 2


def test_a_full_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w1.fifo")
    reader = os.open(tmp_path / "w1.fifo", os.O_RDONLY | os.O_NONBLOCK)
    bell = FifoBell(tmp_path)
    for _ in range(3_000):
        bell.ring(["x" * 100])
    assert os.read(reader, 101) == b"x" * 100 + b"\n"
    bell.close()
    os.close(reader)


def test_a_worker_that_comes_within_the_same_tick_as_the_last_look_is_rung(tmp_path: Path) -> None:
    bell = FifoBell(tmp_path)
    tick = time.time_ns() + 60 * 10**9  # however slow this machine is, the tick is not over
    os.utime(tmp_path, ns=(tick, tick))
    bell.ring(["mail"])
    os.mkfifo(tmp_path / "w1.fifo")
    reader = os.open(tmp_path / "w1.fifo", os.O_RDONLY | os.O_NONBLOCK)
    os.utime(tmp_path, ns=(tick, tick))
    bell.ring(["mail"])
    assert os.read(reader, 5) == b"mail\n"
    bell.close()
    os.close(reader)


def test_fifos_of_dead_workers_are_removed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dead.fifo")
    os.mkfifo(tmp_path / "dies.fifo")
    reader = os.open(tmp_path / "dies.fifo", os.O_RDONLY | os.O_NONBLOCK)
    bell = FifoBell(tmp_path)
    bell.ring(["mail"])
    assert [path.name for path in tmp_path.iterdir()] == ["dies.fifo"]
    os.close(reader)
    bell.ring(["mail"])
    assert list(tmp_path.iterdir()) == []

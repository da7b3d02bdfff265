"""The contract of the spool's reader over memory and SQLite, what SQLite's writer does besides what every spool promises
(test_intake_store.py), and the drainer.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NoReturn, cast

import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from pysqlite3 import dbapi2 as sqlite

from dealerflow.adapters.clock import TimeIds
from dealerflow.adapters.database.engine import open_engine, transaction
from dealerflow.adapters.database.message_store import SqlMessageStore
from dealerflow.adapters.database.spool_positions import advance, drained_to
from dealerflow.adapters.database.tables import metadata, settings
from dealerflow.adapters.database.unit_of_work import SqlDatabase, SqlUnitOfWork
from dealerflow.adapters.embedded.drainer import Drainer
from dealerflow.adapters.embedded.liveness import FileLock
from dealerflow.adapters.embedded.spool import SpoolWriter
from dealerflow.adapters.embedded.spool_reader import SqliteSpoolReader
from dealerflow.adapters.memory.spool import MemorySpool
from dealerflow.application.calls import KeyReused
from dealerflow.application.handling import Handler
from dealerflow.application.intake import Accepted
from dealerflow.application.ports import SpoolReader
from dealerflow.application.queues import ORDERS
from dealerflow.application.work import Pipelines, UnitOfWork
from dealerflow.domain.errors import LeaseLost, Outage, Unavailable
from dealerflow.domain.messages import Envelope, PlaceOrder
from dealerflow.domain.orders import Customer, NewOrder, Revision


def order(number: int, dealership: str = "north") -> PlaceOrder:
    revision = Revision(
        number=1, catalogue_version=1, model="m", trim="t", colour="c", options=(), labels={}, lines=(),
        price=100, currency="EUR",
    )  # fmt: skip
    customer = Customer(name="Ñandú", email="a@example.org")
    return PlaceOrder(
        new=NewOrder(
            id=f"ord_{number:06d}",
            dealership=dealership,
            at=number,
            customer=customer,
            revision=revision,
            terms=(),
        )
    )


class Asker:
    """Appends to a writer and waits for the answers, as the web layer does."""

    def __init__(self, writer: SpoolWriter) -> None:
        self._writer = writer

    def ask(
        self, number: int, *, key: str | None = None, request: str = "r", answer: bytes = b""
    ) -> Callable[[], Accepted | Exception]:
        answers: queue.SimpleQueue[Accepted | Exception] = queue.SimpleQueue()
        self._writer.append(order(number), answers.put, at=number, answer=answer, key=key, request=request)
        return lambda: answers.get(timeout=30)

    def append(
        self, number: int, *, key: str | None = None, request: str = "r", answer: bytes = b""
    ) -> Accepted:
        result = self.ask(number, key=key, request=request, answer=answer)()
        if isinstance(result, Exception):
            raise result
        return result


@dataclass
class Subject:
    """Both ends of a spool."""

    reader: SpoolReader
    append: Callable[[int], int]
    prune: Callable[[int], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "intake.db"


@pytest.fixture
def writer(path: Path) -> Iterator[SpoolWriter]:
    made = SpoolWriter(path)
    made.open()
    yield made
    made.close()


@pytest.fixture
def reader(path: Path) -> Iterator[SqliteSpoolReader]:
    made = SqliteSpoolReader(path)
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite"])
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "memory":
        spool = MemorySpool()
        return Subject(spool, lambda number: spool.append(order(number)), spool.prune)
    writer: SpoolWriter = request.getfixturevalue("writer")

    def prune(position: int) -> None:
        writer.prune(position)
        writer.snapshot()  # what is asked later is done later

    return Subject(
        request.getfixturevalue("reader"), lambda number: Asker(writer).append(number).position or 0, prune
    )


# --- the contract ----------------------------------------------------------------------------------------


def test_orders_are_read_in_the_order_in_which_they_were_accepted(subject: Subject) -> None:
    positions = [subject.append(number) for number in range(1, 6)]
    assert positions == sorted(set(positions))
    read = subject.reader.read(0, 10)
    assert [spooled.message for spooled in read] == [order(number) for number in range(1, 6)]
    assert [spooled.position for spooled in read] == positions


def test_reading_goes_on_behind_a_position_and_up_to_a_limit(subject: Subject) -> None:
    positions = [subject.append(number) for number in range(1, 6)]
    assert [spooled.position for spooled in subject.reader.read(positions[1], 2)] == positions[2:4]
    assert subject.reader.read(positions[-1], 10) == []


def test_the_last_position_is_known_also_when_everything_is_pruned(subject: Subject) -> None:
    assert subject.reader.last() == 0
    positions = [subject.append(number) for number in range(1, 4)]
    subject.prune(positions[1])
    assert [spooled.position for spooled in subject.reader.read(0, 9)] == positions[2:]
    subject.prune(positions[2])
    assert subject.reader.read(0, 9) == []
    assert subject.reader.last() == positions[2]
    assert subject.append(4) > positions[2]


def test_a_spool_keeps_its_id(subject: Subject) -> None:
    before = subject.reader.spool
    subject.append(1)
    assert subject.reader.spool == before != ""


# --- the writer on SQLite --------------------------------------------------------------------------------


def test_what_was_answered_is_in_the_file(writer: SpoolWriter, path: Path) -> None:
    Asker(writer).append(1)
    with sqlite.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM spool").fetchone() == (1,)
    connection.close()


def test_a_commit_is_durable(writer: SpoolWriter) -> None:
    connection = writer._connection  # noqa: SLF001 - the setting cannot be seen from outside
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # 2 is FULL


def test_what_waits_together_is_committed_together(path: Path) -> None:
    commits: list[int] = []
    writer = SpoolWriter(path, committed=lambda: commits.append(1))
    answers = [Asker(writer).ask(number) for number in range(100)]  # the writer does not run yet
    writer.open()
    positions = [cast("Accepted", answer()).position for answer in answers]
    writer.close()
    assert positions == list(range(1, 101))
    assert len(commits) == 1


def test_positions_go_on_after_a_restart(path: Path) -> None:
    for expected in (1, 2, 3):
        writer = SpoolWriter(path)
        writer.open()
        assert Asker(writer).append(expected).position == expected
        writer.prune(expected)
        writer.close()


def test_closing_writes_what_waits_and_refuses_what_comes_later(path: Path) -> None:
    writer = SpoolWriter(path)
    waiting = Asker(writer).ask(1)
    writer.open()
    writer.close()
    assert cast("Accepted", waiting()).position == 1
    with pytest.raises(Unavailable):
        Asker(writer).append(2)


def test_whoever_asks_a_closed_spool_is_answered_at_once(path: Path) -> None:
    writer = SpoolWriter(path)
    writer.open()
    Asker(writer).append(1, key="k")
    writer.close()
    answers: queue.SimpleQueue[object] = queue.SimpleQueue()
    asking = [
        threading.Thread(target=ask, daemon=True)
        for ask in (
            lambda: writer.find("k", "r", answers.put, at=1),
            lambda: answers.put(refused(lambda: writer.sent_at(1))),
            lambda: answers.put(refused(writer.snapshot)),
            lambda: answers.put(refused(lambda: writer.put_snapshot(1, b""))),
        )
    ]
    for one in asking:
        one.start()
    assert [type(answers.get(timeout=10)) for _ in asking] == [Unavailable] * len(asking)


def refused(ask: Callable[[], object]) -> Exception | None:
    try:
        ask()
    except Unavailable as error:
        return error
    return None


def test_pruning_much_is_done_in_small_parts(writer: SpoolWriter, reader: SqliteSpoolReader) -> None:
    waiting = [Asker(writer).ask(number) for number in range(5_000)]
    assert all(isinstance(answer(), Accepted) for answer in waiting)
    writer.prune(4_990)
    for _ in range(4):
        writer.snapshot()
    assert len(reader.read(0, 9_999)) == 10


def test_an_order_is_found_by_its_id_among_many(writer: SpoolWriter, reader: SqliteSpoolReader) -> None:
    clock = StillClock()
    ids = TimeIds(clock.now)
    taken = [ids.new("ord") for _ in range(3)]
    for number in range(60):
        new = replace(order(number).new, id=taken[-1])
        writer.append(PlaceOrder(new=new), lambda _: None, at=clock.now())
        clock.ms += number * 40  # some in one moment, some alone
        taken.append(ids.new("ord"))
    kept = taken[2:-1]
    writer.snapshot()  # what is asked later is done later
    found = [reader.order(order_id) for order_id in kept]
    assert [new and new.id for new in found] == kept
    assert [reader.order(order_id) for order_id in (*taken[:2], taken[-1], "ord_00000013")] == [None] * 4
    writer.prune(30)
    writer.snapshot()
    assert [reader.order(order_id) is None for order_id in kept] == [number < 30 for number in range(60)]


# --- idempotency keys ------------------------------------------------------------------------------------


def test_the_same_request_with_the_same_key_gets_the_first_answer(writer: SpoolWriter, path: Path) -> None:
    asker = Asker(writer)
    first = asker.append(1, key="k", answer=b"one")
    again = asker.append(2, key="k", answer=b"two")
    assert first == Accepted(position=1, answer=b"one")
    assert again == Accepted(position=None, answer=b"one", replayed=True)
    assert asker.append(3, key="other", answer=b"three").answer == b"three"


def test_the_same_key_twice_in_one_commit_appends_once(path: Path, reader: SqliteSpoolReader) -> None:
    writer = SpoolWriter(path)
    asker = Asker(writer)
    one = asker.ask(1, key="k", answer=b"one")
    two = asker.ask(2, key="k", answer=b"two")
    other = asker.ask(3, key="k", request="other")
    writer.open()
    answers = [one(), two(), other()]
    writer.close()
    assert [cast("Accepted", answer).answer for answer in answers[:2]] == [b"one", b"one"]
    assert isinstance(answers[2], KeyReused)
    assert reader.last() == 1


def test_a_key_is_known_after_a_restart_and_until_it_is_deleted(path: Path) -> None:
    writer = SpoolWriter(path)
    writer.open()
    Asker(writer).append(100, key="k", answer=b"one")
    writer.close()
    writer = SpoolWriter(path)
    writer.open()
    writer.expire_keys(100)
    assert Asker(writer).append(200, key="k", answer=b"two").replayed
    writer.expire_keys(101)
    writer.snapshot()  # what is asked later is done later
    assert Asker(writer).append(300, key="k", answer=b"three").position == 2
    writer.close()


# --- when nothing can be written -------------------------------------------------------------------------


def fill_the_disk(writer: SpoolWriter) -> None:
    """Let the file grow no further, as a full disk would, until it is opened afresh."""
    connection = writer._connection  # noqa: SLF001 - a full disk cannot be had otherwise
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")


def test_a_full_disk_refuses_and_nothing_is_half_written(
    writer: SpoolWriter, reader: SqliteSpoolReader, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    asker = Asker(writer)
    asker.append(1)
    fill_the_disk(writer)
    waiting = [asker.ask(number, key=f"k{number}") for number in range(2, 200)]
    answers = [answer() for answer in waiting]
    refused = [number for number, answer in enumerate(answers, 2) if isinstance(answer, Unavailable)]
    assert refused
    assert len(reader.read(0, 999)) == 200 - 1 - len(refused)
    # The connection was opened afresh, and there is room again: the refused may come again with their keys.
    assert not asker.append(500, key=f"k{refused[0]}").replayed


def test_a_locked_file_refuses_and_recovers_by_itself(
    writer: SpoolWriter, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    other = sqlite.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        Asker(writer).append(1)
    with pytest.raises(Unavailable):
        writer.snapshot()
    other.execute("ROLLBACK")
    other.close()
    assert Asker(writer).append(2).position == 1


def test_a_directory_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(Outage):
        SpoolWriter(tmp_path / "nowhere" / "intake.db").open()


# --- snapshots, readers, coroutines ----------------------------------------------------------------------


def test_a_spool_that_does_not_exist_yet_is_empty(reader: SqliteSpoolReader, path: Path) -> None:
    assert (reader.spool, reader.last(), reader.read(0, 9)) == ("", 0, [])
    path.touch()  # its writer is just making it
    assert (reader.spool, reader.last(), reader.read(0, 9)) == ("", 0, [])


def test_a_spool_that_was_deleted_and_made_anew_is_another(reader: SqliteSpoolReader, path: Path) -> None:
    seen = []
    for number in (1, 2):
        writer = SpoolWriter(path)
        seen.append(writer.open())
        Asker(writer).append(number)
        assert reader.spool == seen[-1]
        assert [spooled.message for spooled in reader.read(0, 9)] == [order(number)]
        writer.close()
        for file in path.parent.glob("intake.db*"):
            file.unlink()
    assert reader.last() == 0
    assert seen[0] != seen[1]


# --- the drainer -----------------------------------------------------------------------------------------


class StillClock:
    ms = 1_000_000

    def now(self) -> int:
        return self.ms


class CountedIds:
    def __init__(self) -> None:
        self._numbers = count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06d}"


class Places:
    """Stands in for the handler of PlaceOrder: notes each order, which can be done only once, and refuses some."""

    def __init__(self, *refused: int) -> None:
        self.refused = {f"ord_{number:06d}" for number in refused}
        self.batches: list[int] = []
        self.away = False

    def __call__(self, work: UnitOfWork, envelope: Envelope) -> None:
        if self.away:
            raise Outage("the database is away")
        if envelope.order in self.refused:
            raise ValueError(f"{envelope.order} cannot be placed")
        row = sa.insert(settings).values(name=envelope.order, value="placed")
        cast("SqlUnitOfWork", work).connection.execute(row)

    def many(self, work: UnitOfWork, envelopes: Sequence[Envelope]) -> None:
        self.batches.append(len(envelopes))
        for envelope in envelopes:
            self(work, envelope)


class Bench:
    """A spool in memory and a real database."""

    def __init__(self, url: str, run: Path) -> None:
        self.engine = open_engine(url)
        metadata.create_all(self.engine)
        self.clock = StillClock()
        self.store = SqlMessageStore(self.engine)
        self.database = SqlDatabase(self.engine, self.clock, CountedIds(), cast("Pipelines", None))
        self.spool = MemorySpool()
        self.handler = Places()
        self.run = run

    def drainer(self, *, directly: bool = True, reader: SpoolReader | None = None) -> Drainer:
        return Drainer(
            reader or self.spool,
            database=self.database,
            store=self.store,
            handler_for=lambda _: cast("Handler", self.handler),
            clock=self.clock,
            random=random.Random(1).random,
            lock=FileLock(self.run / "drainer.lock"),
            directly=directly,
        )

    def accept(self, *numbers: int) -> None:
        for number in numbers:
            self.spool.append(order(number))

    def placed(self) -> list[int]:
        with transaction(self.engine, "read") as connection:
            names = connection.execute(sa.select(settings.c.name).order_by(settings.c.name)).scalars().all()
        return [int(name.removeprefix("ord_")) for name in names]

    def queued(self) -> list[int]:
        claimed = self.store.claim(ORDERS, 1_000, owner="w", now=self.clock.now())
        return [int((one.envelope.order or "").removeprefix("ord_")) for one in claimed]

    def position(self) -> int:
        with transaction(self.engine, "read") as connection:
            return drained_to(connection, self.spool.spool)


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Bench]:
    caplog.set_level(logging.CRITICAL)
    on_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/main.db" if on_file else request.getfixturevalue("postgres_url")
    made = Bench(url, tmp_path / "run")
    yield made
    made.engine.dispose()


def drain(drainer: Drainer) -> None:
    while drainer.step():
        pass


def test_accepted_orders_are_placed_once_each(bench: Bench) -> None:
    bench.accept(*range(1, 251))
    drainer = bench.drainer()
    drain(drainer)
    bench.accept(251)
    drain(drainer)
    assert bench.placed() == list(range(1, 252))
    assert bench.handler.batches == [100, 100, 50]
    assert bench.position() == 251


def test_where_workers_share_them_orders_move_to_the_queue(bench: Bench) -> None:
    bench.accept(1, 2, 3)
    drain(bench.drainer(directly=False))
    assert bench.placed() == []
    assert bench.queued() == [1, 2, 3]


def test_an_order_that_cannot_be_placed_goes_to_the_queue_and_holds_up_nobody(bench: Bench) -> None:
    bench.handler = Places(3, 4, 7)
    bench.accept(*range(1, 11))
    drain(bench.drainer())
    assert bench.placed() == [1, 2, 5, 6, 8, 9, 10]
    assert bench.queued() == [3, 4, 7]
    assert bench.position() == 10


def test_an_outage_loses_and_doubles_nothing(bench: Bench) -> None:
    bench.accept(1, 2, 3)
    bench.handler.away = True
    drainer = bench.drainer()
    for _ in range(20):
        assert not drainer.step()
        bench.clock.ms += 10_000
    assert bench.position() == 0
    bench.handler.away = False
    drain(drainer)
    assert bench.placed() == [1, 2, 3]
    assert bench.queued() == []


def test_while_orders_are_paused_they_stay_in_the_spool(bench: Bench) -> None:
    bench.accept(1)
    bench.store.pause(ORDERS)
    drainer = bench.drainer()
    drain(drainer)
    assert bench.placed() == []
    bench.store.resume(ORDERS)
    drain(drainer)
    assert bench.placed() == [1]


def test_only_one_drainer_works_at_a_time(bench: Bench) -> None:
    bench.accept(1)
    first, second = bench.drainer(), bench.drainer()
    drain(first)
    bench.accept(2)
    assert not second.step()
    assert first.step()


def killed() -> NoReturn:
    raise KeyboardInterrupt


def test_a_drainer_that_dies_in_the_middle_leaves_nothing_half_done(bench: Bench) -> None:
    bench.accept(1, 2)

    class Dies(Places):
        def many(self, work: UnitOfWork, envelopes: Sequence[Envelope]) -> None:
            super().many(work, envelopes)
            killed()

    bench.handler = Dies()
    dying = bench.drainer()
    with pytest.raises(KeyboardInterrupt):
        dying.step()
    del dying
    assert (bench.placed(), bench.position()) == ([], 0)


def test_a_position_moves_on_only_from_where_it_was_read(bench: Bench) -> None:
    with transaction(bench.engine) as connection:
        advance(connection, "spl_a", old=0, new=5)
        advance(connection, "spl_b", old=0, new=1)
        advance(connection, "spl_a", old=5, new=9)
        assert (drained_to(connection, "spl_a"), drained_to(connection, "spl_b")) == (9, 1)
    for old in (0, 5):
        with pytest.raises(LeaseLost), transaction(bench.engine) as connection:
            advance(connection, "spl_a", old=old, new=7)
    with transaction(bench.engine, "read") as connection:
        assert drained_to(connection, "spl_a") == 9


def test_a_new_spool_is_drained_from_its_beginning(bench: Bench) -> None:
    bench.accept(1, 2)
    drainer = bench.drainer()
    drain(drainer)
    other = MemorySpool("spl_other")
    other.append(order(3))
    bench.run /= "other"
    drain(bench.drainer(reader=other))
    assert bench.placed() == [1, 2, 3]


def test_an_order_that_cannot_be_read_ends_among_the_dead_letters(bench: Bench, path: Path) -> None:
    writer, reader = SpoolWriter(path), SqliteSpoolReader(path)
    writer.open()
    for number in (1, 2, 3):
        Asker(writer).append(number)
    with sqlite.connect(path) as connection:
        connection.execute("UPDATE spool SET body = ? WHERE position = 2", (b'{"type": "Nonsense"}',))
    connection.close()
    drain(bench.drainer(reader=reader))
    assert bench.placed() == [1, 3]
    assert bench.queued() == []
    [letter] = bench.store.dead_letters(ORDERS, limit=9)
    assert "Nonsense" in str(letter.envelope.message)
    writer.close()
    reader.close()

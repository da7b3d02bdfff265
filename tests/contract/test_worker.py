"""How a worker works its queues, step by step, on SQLite and PostgreSQL with the real unit of work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import NoReturn, cast

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database.engine import open_engine, transaction
from dealerflow.adapters.database.message_store import SqlMessageStore
from dealerflow.adapters.database.tables import messages, metadata, settings
from dealerflow.adapters.database.unit_of_work import SqlDatabase, SqlUnitOfWork
from dealerflow.adapters.embedded.liveness import FileLiveness
from dealerflow.adapters.embedded.steps import WORKER_DIED, Steps
from dealerflow.adapters.embedded.wake import Wake
from dealerflow.adapters.embedded.worker import Worker
from dealerflow.application.handling import Call, Handler
from dealerflow.application.ports import QueueFigures
from dealerflow.application.queues import QueuePolicy
from dealerflow.application.work import Pipelines, UnitOfWork
from dealerflow.domain.errors import Outage
from dealerflow.domain.messages import Envelope, Message, SendMail

QUEUE = "mail"
OTHER = "post"


class StillClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def now(self) -> int:
        return self.ms


class CountedIds:
    def __init__(self) -> None:
        self._numbers = count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06d}"


def connection_of(work: UnitOfWork) -> sa.Connection:
    return cast("SqlUnitOfWork", work).connection


def note(work: UnitOfWork, envelope: Envelope) -> None:
    """The handlers' work in these tests: a row that says that this mail was worked. A second one would fail."""
    connection_of(work).execute(sa.insert(settings).values(name=mail(envelope), value="worked"))


def mail(envelope: Envelope) -> str:
    assert isinstance(envelope.message, SendMail)
    return envelope.message.mail


class Works:
    """A transactional handler that does as it was told for certain mails, and notes the others."""

    def __init__(self, **instead: Callable[[], object]) -> None:
        self.instead = instead
        self.calls: list[str] = []

    def __call__(self, work: UnitOfWork, envelope: Envelope) -> None:
        self.calls.append(mail(envelope))
        note(work, envelope)
        self.instead.get(mail(envelope), lambda: None)()


class WorksMany(Works):
    """The same, in bulk."""

    def __init__(self, **instead: Callable[[], object]) -> None:
        super().__init__(**instead)
        self.batches: list[int] = []

    def many(self, work: UnitOfWork, envelopes: Sequence[Envelope]) -> None:
        self.batches.append(len(envelopes))
        for envelope in envelopes:
            self(work, envelope)


def fail() -> NoReturn:
    raise ValueError("no such mail \0")


def away() -> NoReturn:
    raise Outage("the post office is closed")


class Bench:
    """Everything that a worker needs, over one database."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        metadata.create_all(self.engine)
        self.clock = StillClock()
        self.policies = {OTHER: QueuePolicy(batch=1, ordered=False, max_attempts=3)}
        self.store = SqlMessageStore(self.engine, policies=self.policy)
        self.database = SqlDatabase(self.engine, self.clock, CountedIds(), cast("Pipelines", None))
        self.handler: Handler = Works()
        self.known: type[Message] = SendMail

    def policy(self, queue: str) -> QueuePolicy:
        return self.policies.get(queue, QueuePolicy(batch=10, ordered=False, max_attempts=3))

    def steps(self, owner: str = "w1") -> Steps:
        return Steps(
            store=self.store,
            database=self.database,
            handler_for=self.handler_for,
            owner=owner,
            clock=self.clock,
            random=lambda: 0.0,
            policies=self.policy,
        )

    def handler_for(self, message_type: type[Message]) -> Handler:
        if message_type is not self.known:
            raise LookupError(f"nobody works {message_type.__name__}")
        return self.handler

    def send(self, *mails: str, queue: str = QUEUE) -> None:
        with self.database.begin() as work:
            for name in mails:
                work.send(queue, SendMail(mail=name), group="north")

    def drain(self, queue: str = QUEUE, *, steps: Steps | None = None, rounds: int = 200) -> None:
        """Step until nothing is left to do; delays pass at once."""
        steps = steps or self.steps()
        for _ in range(rounds):
            while steps.step(queue):
                pass
            figures = self.figures(queue)
            if not (figures.waiting or figures.delayed or figures.in_flight):
                return
            self.clock.ms += 60_000
        raise AssertionError(f"still at work: {self.figures(queue)}")

    def worked(self) -> list[str]:
        with transaction(self.engine, "read") as connection:
            return list(connection.execute(sa.select(settings.c.name).order_by(settings.c.name)).scalars())

    def figures(self, queue: str = QUEUE) -> QueueFigures:
        found = {figures.name: figures for figures in self.store.figures(now=self.clock.now())}
        return found[queue]

    def dead(self, queue: str = QUEUE) -> dict[str, tuple[int, str]]:
        letters = self.store.dead_letters(queue, limit=100)
        return {mail(letter.envelope): (letter.attempts, letter.error) for letter in letters}

    def attempts(self) -> list[int]:
        with transaction(self.engine, "read") as connection:
            return list(connection.execute(sa.select(messages.c.attempts)).scalars())


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Bench]:
    caplog.set_level(logging.CRITICAL)
    on_file = request.param == "sqlite"
    made = Bench(f"sqlite:///{tmp_path}/bench.db" if on_file else request.getfixturevalue("postgres_url"))
    yield made
    made.engine.dispose()


def test_a_batch_is_worked_and_acknowledged(bench: Bench) -> None:
    bench.send("a", "b", "c")
    assert bench.steps().step(QUEUE)
    assert bench.worked() == ["a", "b", "c"]
    assert bench.figures() == QueueFigures(name=QUEUE)
    assert not bench.steps().step(QUEUE)


def test_what_a_handler_sends_is_worked_too(bench: Bench) -> None:
    def forward(work: UnitOfWork, envelope: Envelope) -> None:
        note(work, envelope)
        if not mail(envelope).endswith("again"):
            work.send(OTHER, SendMail(mail=mail(envelope) + " again"))

    bench.handler = forward
    bench.send("a", "b")
    bench.drain()
    bench.drain(OTHER)
    assert bench.worked() == ["a", "a again", "b", "b again"]


@pytest.mark.parametrize("handler", [Works, WorksMany])
def test_poison_harms_only_itself(bench: Bench, handler: type[Works]) -> None:
    bench.handler = handler(bad=fail, worse=fail)
    bench.send("a", "bad", "b", "worse", "c")
    bench.drain()
    assert bench.worked() == ["a", "b", "c"]
    assert {name: attempts for name, (attempts, _) in bench.dead().items()} == {"bad": 3, "worse": 3}
    assert bench.dead()["bad"][1] == "ValueError: no such mail �"


def test_poison_that_shows_only_at_the_end_of_the_transaction_harms_only_itself(bench: Bench) -> None:
    def add_later(work: UnitOfWork, envelope: Envelope) -> None:
        value = None if mail(envelope) == "bad" else "worked"
        cast("SqlUnitOfWork", work).session.add(settings, {"name": mail(envelope), "value": value})

    bench.handler = add_later
    bench.send("a", "bad", "b")
    bench.drain()
    assert bench.worked() == ["a", "b"]
    assert list(bench.dead()) == ["bad"]


def test_a_message_that_no_handler_knows_is_a_failed_attempt_of_its_own(bench: Bench) -> None:
    bench.send("a")
    bench.known = Message
    bench.drain()
    assert bench.dead() == {"a": (3, "LookupError: nobody works SendMail")}


def test_a_message_that_fails_is_tried_again_after_its_delay(bench: Bench) -> None:
    works = Works(a=fail)
    bench.handler = works
    bench.send("a")
    steps = bench.steps()
    steps.step(QUEUE)
    assert not steps.step(QUEUE)
    bench.clock.ms += 500
    del works.instead["a"]
    assert steps.step(QUEUE)
    assert bench.worked() == ["a"]


def test_a_bulk_handler_gets_the_whole_batch_at_once(bench: Bench) -> None:
    bench.handler = handler = WorksMany()
    bench.send(*"abcdefghijkl")
    bench.drain()
    assert handler.batches == [10, 2]


# --- outages ---------------------------------------------------------------------------------------------


def test_an_outage_counts_no_attempt_however_long_it_lasts(bench: Bench) -> None:
    works = Works(b=away)
    bench.handler = works
    bench.send("a", "b", "c")
    steps = bench.steps()
    for _ in range(50):
        steps.step(QUEUE)
        assert set(bench.attempts()) == {0}
        bench.clock.ms += 60_000
    assert bench.worked() == []
    works.instead.clear()
    assert steps.step(QUEUE)
    assert bench.worked() == ["a", "b", "c"]
    assert bench.dead() == {}


def test_during_an_outage_the_queue_is_left_alone_for_a_while(bench: Bench) -> None:
    works = Works(a=away)
    bench.handler = works
    bench.send("a")
    steps, others = bench.steps(), bench.steps("w2")
    steps.step(QUEUE)
    assert not steps.step(QUEUE)
    assert not others.step(QUEUE)
    assert works.calls == ["a"]
    assert bench.figures().in_flight == 0


def test_a_database_that_goes_away_in_the_middle_is_an_outage(bench: Bench) -> None:
    losses = [1]

    def lose_the_connection_once(work: UnitOfWork, envelope: Envelope) -> None:
        note(work, envelope)
        if mail(envelope) == "b" and losses:
            losses.pop()
            connection_of(work).invalidate()
            raise Outage("gone")

    bench.handler = lose_the_connection_once
    bench.send("a", "b")
    steps = bench.steps()
    assert not steps.step(QUEUE)
    assert bench.worked() == []
    bench.drain(steps=steps)
    assert bench.worked() == ["a", "b"]


# --- crashes and lost leases -----------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the death of the process: nothing that catches errors catches this."""


def killed() -> NoReturn:
    raise Killed


def restart(bench: Bench) -> None:
    bench.store.release(set(), now=bench.clock.now())


def test_after_a_crash_the_suspects_are_worked_alone_and_only_the_guilty_one_is_buried(bench: Bench) -> None:
    bench.handler = Works(bad=killed)
    bench.send("a", "b", "bad", "c", "d")
    crashes = 0
    while bench.figures().waiting:
        try:
            bench.steps(f"w{crashes}").step(QUEUE)
        except Killed:
            restart(bench)
            crashes += 1
    assert bench.worked() == ["a", "b", "c", "d"]
    assert bench.dead() == {"bad": (4, WORKER_DIED)}
    assert crashes == 3


def test_a_crash_undoes_the_whole_batch(bench: Bench) -> None:
    bench.handler = Works(b=killed)
    bench.send("a", "b")
    with pytest.raises(Killed):
        bench.steps().step(QUEUE)
    assert bench.worked() == []
    assert bench.figures().in_flight == 2


class TakenAway(SqlDatabase):
    """A database on which, before the next transaction begins, another worker takes one message over."""

    message: str | None = None

    def begin(self) -> AbstractContextManager[SqlUnitOfWork]:
        if self.message is not None:
            taken = {"lease": "w2:1", "owner": "w2"}
            with transaction(self.engine) as connection:
                connection.execute(sa.update(messages).where(messages.c.id == self.message).values(**taken))
            self.message = None
        return super().begin()


def test_work_whose_lease_was_lost_is_undone_and_the_rest_is_worked_again(bench: Bench) -> None:
    bench.database = database = TakenAway(bench.engine, bench.clock, CountedIds(), cast("Pipelines", None))
    bench.send("a", "b")
    steps = bench.steps()
    database.message = "msg_000001"
    assert steps.step(QUEUE)
    assert bench.worked() == []
    assert steps.step(QUEUE)
    assert bench.worked() == ["b"]
    assert bench.figures().in_flight == 1


def test_long_work_keeps_its_lease(bench: Bench) -> None:
    works = Works()
    bench.handler = works
    bench.policies[QUEUE] = QueuePolicy(batch=10, ordered=False, lease_ms=30_000)
    bench.send("a")
    steps = bench.steps()

    def perform(request: object, envelope: Envelope) -> str:
        for _ in range(9):
            bench.clock.ms += 10_000
            steps.renew()
            assert bench.store.release({"w1"}, now=bench.clock.now()) == 0
        return "sent"

    bench.handler = Call(
        prepare=lambda work, envelope: "r", perform=perform, record=lambda w, e, a: note(w, e)
    )
    bench.drain(steps=steps)
    assert bench.worked() == ["a"]


# --- calls to the outside --------------------------------------------------------------------------------


class Post:
    """A call handler: takes mails to a post office that may be closed, or refuse."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.perform_does: Callable[[], object] = lambda: None
        self.record_does: Callable[[], object] = lambda: None

    def handler(self) -> Call:
        return Call(prepare=self.prepare, perform=self.perform, record=self.record)

    def prepare(self, work: UnitOfWork, envelope: Envelope) -> str | None:
        done = sa.select(settings.c.value).where(settings.c.name == mail(envelope))
        return None if connection_of(work).execute(done).first() else f"take {mail(envelope)}"

    def perform(self, request: str, envelope: Envelope) -> str:
        self.perform_does()
        self.taken.append(request)
        return "taken"

    def record(self, work: UnitOfWork, envelope: Envelope, answer: str) -> None:
        assert answer == "taken"
        note(work, envelope)
        self.record_does()


def test_a_call_is_made_and_its_answer_recorded(bench: Bench) -> None:
    post = Post()
    bench.handler = post.handler()
    bench.send("a", "b", queue=OTHER)
    bench.drain(OTHER)
    assert post.taken == ["take a", "take b"]
    assert bench.worked() == ["a", "b"]


def test_a_call_that_was_recorded_before_is_not_made_again(bench: Bench) -> None:
    post = Post()
    bench.handler = post.handler()
    bench.send("a", "a", queue=OTHER)
    bench.drain(OTHER)
    assert post.taken == ["take a"]
    assert bench.figures(OTHER) == QueueFigures(name=OTHER)


def test_a_refused_call_is_a_failed_attempt(bench: Bench) -> None:
    post = Post()
    post.perform_does = fail
    bench.handler = post.handler()
    bench.send("a", queue=OTHER)
    bench.drain(OTHER)
    assert bench.dead(OTHER)["a"][0] == 3


def test_while_the_outside_is_away_no_attempt_is_counted(bench: Bench) -> None:
    post = Post()
    post.perform_does = away
    bench.handler = post.handler()
    bench.send("a", queue=OTHER)
    steps = bench.steps()
    for _ in range(20):
        steps.step(OTHER)
        bench.clock.ms += 10_000
    assert bench.attempts() == [0]
    post.perform_does = lambda: None
    bench.drain(OTHER, steps=steps)
    assert post.taken == ["take a"]


def test_an_answer_that_cannot_be_recorded_now_is_kept_and_the_call_is_not_made_twice(bench: Bench) -> None:
    post = Post()
    post.record_does = away
    bench.handler = post.handler()
    bench.send("a", queue=OTHER)
    steps = bench.steps()
    for _ in range(5):
        assert not steps.step(OTHER)
        bench.clock.ms += 10_000
    post.record_does = lambda: None
    assert steps.step(OTHER)
    assert post.taken == ["take a"]
    assert bench.worked() == ["a"]
    assert bench.figures(OTHER) == QueueFigures(name=OTHER)


def test_an_answer_whose_record_fails_is_a_failed_attempt(bench: Bench) -> None:
    post = Post()
    post.record_does = fail
    bench.handler = post.handler()
    bench.send("a", queue=OTHER)
    bench.drain(OTHER)
    assert bench.worked() == []
    assert bench.dead(OTHER)["a"][0] == 3


# --- the threads -----------------------------------------------------------------------------------------


@pytest.fixture
def worker(bench: Bench, tmp_path: Path) -> Iterator[tuple[Worker, Wake]]:
    liveness, wake = FileLiveness(tmp_path / "run"), Wake()
    made = Worker(
        bench.steps(liveness.owner),
        store=bench.store,
        liveness=liveness,
        wake=wake,
        clock=bench.clock,
        queues=["ma*"],
    )
    yield made, wake
    made.stop()
    made.join()


def noted_and_told(wake: Wake) -> Handler:
    def handler(work: UnitOfWork, envelope: Envelope) -> None:
        note(work, envelope)
        wake.ring(["done"])

    return handler


class NotKnownToBeAlive:
    """The liveness of a worker for whose lock the server has no connection left."""

    owner = "w1"
    there = False

    def hold(self) -> None:
        if not self.there:
            raise Outage("too many connections")

    def alive(self) -> set[str]:
        return {self.owner} if self.there else set()

    def release(self) -> None:
        pass


def test_a_worker_that_the_others_would_take_for_dead_claims_nothing(bench: Bench) -> None:
    liveness = NotKnownToBeAlive()
    worker = Worker(
        bench.steps(liveness.owner), store=bench.store, liveness=liveness, wake=Wake(), clock=bench.clock
    )
    bench.send("a")
    worker.start()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("queue ")] == []
    liveness.there = True
    worker.housekeep()
    assert f"queue {QUEUE}" in [thread.name for thread in threading.enumerate()]
    worker.stop()
    assert worker.join()


def test_a_worker_works_its_queues_until_it_is_stopped(bench: Bench, worker: tuple[Worker, Wake]) -> None:
    running, wake = worker
    done = wake.heard("done")
    bench.handler = noted_and_told(wake)
    bench.send("a")
    bench.send("b", queue=OTHER)
    running.start()
    assert wake.wait("done", done, 30)
    done = wake.heard("done")
    bench.send("c")
    wake.ring([QUEUE])
    assert wake.wait("done", done, 30)
    running.stop()
    assert running.join()
    assert bench.worked() == ["a", "c"]
    assert bench.figures(OTHER).waiting == 1


def test_a_queue_that_appears_later_is_found(bench: Bench, worker: tuple[Worker, Wake]) -> None:
    running, wake = worker
    running.start()
    done = wake.heard("done")
    bench.handler = noted_and_told(wake)
    bench.send("a", queue="maybe")
    running.housekeep()
    assert wake.wait("done", done, 30)


def test_housekeeping_gives_the_messages_of_a_dead_worker_to_the_living(
    bench: Bench, worker: tuple[Worker, Wake]
) -> None:
    bench.send("a", queue=OTHER)
    assert bench.store.claim(OTHER, 1, owner="dead", now=bench.clock.now())
    worker[0].housekeep()
    assert bench.figures(OTHER).waiting == 1


def test_a_stopping_worker_finishes_what_is_in_hand(bench: Bench, worker: tuple[Worker, Wake]) -> None:
    running, wake = worker
    begun = wake.heard("begun")

    def slow(work: UnitOfWork, envelope: Envelope) -> None:
        wake.ring(["begun"])
        note(work, envelope)
        running.stop()

    bench.handler = slow
    bench.send("a")
    running.start()
    assert wake.wait("begun", begun, 30)
    assert running.join()
    assert bench.worked() == ["a"]
    assert bench.figures() == QueueFigures(name=QUEUE)

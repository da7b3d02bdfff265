"""The contract of the operator's console, over memory, SQLite, PostgreSQL, and PostgreSQL with SQS before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
import sqlalchemy as sa

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.names import QUEUES, Names
from dealerflow.adapters.aws.queues import AwsQueues
from dealerflow.adapters.aws.relay import Destinations, Relay
from dealerflow.adapters.database import outbox
from dealerflow.adapters.database.engine import open_engine, transaction
from dealerflow.adapters.database.message_store import SqlMessageStore, send_all
from dealerflow.adapters.database.outbox import Outbox
from dealerflow.adapters.database.tables import discarded, messages, metadata
from dealerflow.adapters.memory.message_store import MemoryMessageStore
from dealerflow.application.message_events import from_cloud_event, to_cloud_event
from dealerflow.application.ports import MessageStore, QueueConsole, QueueFigures
from dealerflow.domain.messages import Claimed, Envelope, SendMail
from tests.ministack import ACCOUNT, REGION

Sent = Sequence[tuple[Envelope, int]]
Discards = list[tuple[str, int, str, str]]

NAMES = Names(stack="shop", region=REGION, account=ACCOUNT)


class Workers(Protocol):
    """What happens to messages beside the console."""

    def send(self, sent: Sent, now: int) -> None:
        """In one transaction, each with its delay in ms."""

    def take(self, queue: str, now: int) -> list[tuple[str, int]]:
        """Take what is to be had: (id, which attempt it is)."""

    def bury(self, queue: str, ids: Sequence[str], now: int, error: str) -> None:
        """Of what was taken these are dead."""


@dataclass
class Subject:
    """A console, and the workers beside it. What it can do is declared, never guessed."""

    store: QueueConsole
    workers: Workers
    discards: Callable[[], Discards]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def send(self, queue: str, *groups: str, now: int = 0, delay: int = 0) -> list[str]:
        sent = []
        for group in groups:
            number = next(self.numbers)
            mail = SendMail(mail=f"mai_{number:06d}")
            sent.append(Envelope(id=f"msg_{number:06d}", queue=queue, message=mail, group=group, sent_at=now))
        self.workers.send([(envelope, delay) for envelope in sent], now)
        return [envelope.id for envelope in sent]

    def take(self, queue: str, *, now: int = 0) -> list[str]:
        return sorted(id_ for id_, _ in self.workers.take(queue, now))

    def dead(self, queue: str, *groups: str, now: int = 5, error: str = "no such mail") -> list[str]:
        """So many dead letters."""
        sent = self.send(queue, *groups)
        assert self.take(queue) == sent
        self.workers.bury(queue, sent, now, error)
        return sent

    def figures(self, queue: str, *, now: int = 0) -> QueueFigures:
        return next(figures for figures in self.store.figures(now=now) if figures.name == queue)


class StoreWorkers:
    """Of a message store that is itself the queue."""

    def __init__(self, store: MessageStore, send: Callable[[Sent, int], None]) -> None:
        self._store = store
        self.send = send
        self._claimed: dict[str, Claimed] = {}

    def take(self, queue: str, now: int) -> list[tuple[str, int]]:
        claimed = self._store.claim(queue, 100, owner="one", now=now)
        self._claimed.update({one.envelope.id: one for one in claimed})
        return [(one.envelope.id, one.attempt) for one in claimed]

    def bury(self, queue: str, ids: Sequence[str], now: int, error: str) -> None:
        self._store.bury([self._claimed[id_] for id_ in ids], now=now, error=error)


class Functions:
    """Of an outbox with SQS before it: what the functions do."""

    def __init__(self, engine: sa.Engine, clients: Clients, relay: Relay) -> None:
        self._engine = engine
        self._outbox = Outbox(engine)
        self._sqs = clients.sqs
        self._relay = relay
        self._receipts: dict[str, tuple[str, str]] = {}

    def send(self, sent: Sent, now: int) -> None:
        with transaction(self._engine) as connection:
            outbox.put(connection, sent, now)
        self._relay.forward([envelope for envelope, delay in sent if not delay])

    def take(self, queue: str, now: int) -> list[tuple[str, int]]:
        url = NAMES.queue_url(NAMES.physical(queue))
        received = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600)
        envelopes = []
        for one in received.get("Messages", ()):
            envelopes.append(from_cloud_event(one["Body"]))
            self._receipts[envelopes[-1].id] = url, one["ReceiptHandle"]
        with transaction(self._engine) as connection:
            attempts = dict(connection.execute(sa.select(messages.c.id, messages.c.attempts)).all())
        return [(one.id, attempts[one.id] + 1) for one in envelopes if one.queue == queue]

    def bury(self, queue: str, ids: Sequence[str], now: int, error: str) -> None:
        for id_ in ids:
            found = self._outbox.find(id_)
            assert found is not None
            self._outbox.failed(found, now=now, error=error)
            body = to_cloud_event(found).decode()
            self._sqs.send_message(QueueUrl=NAMES.dead_queue_url(NAMES.physical(queue)), MessageBody=body)
            self._outbox.bury(id_, now=now, error=error)
            url, receipt = self._receipts.pop(id_)
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)


class StillClock:
    """A moment after everything that these tests send at once."""

    def now(self) -> int:
        return 8_000


def in_memory() -> Subject:
    store = MemoryMessageStore()
    return Subject(store, StoreWorkers(store, store.send_all), lambda: store.discarded)


def discards_of(engine: sa.Engine) -> Discards:
    with transaction(engine, "read") as connection:
        columns = discarded.c.id, discarded.c.at, discarded.c.by, discarded.c.reason
        return [(row.id, row.at, row.by, row.reason) for row in connection.execute(sa.select(*columns))]


def on_sql(engine: sa.Engine) -> Subject:
    def send(sent: Sent, now: int) -> None:
        with transaction(engine) as connection:
            send_all(connection, sent, now)

    store = SqlMessageStore(engine)
    return Subject(store, StoreWorkers(store, send), lambda: discards_of(engine))


def on_aws(engine: sa.Engine) -> Subject:
    clients = Clients(REGION)
    for queue in QUEUES:
        clients.sqs.create_queue(QueueName=NAMES.queue_name(queue))
        clients.sqs.create_queue(QueueName=NAMES.dead_queue_name(queue))
    relay = Relay(
        Outbox(engine),
        Destinations(sqs=clients.sqs, sns=clients.sns, bus=clients.events, names=NAMES),
        StillClock(),
    )
    store = AwsQueues(engine, sqs=clients.sqs, functions=clients.functions, names=NAMES, forward=relay.step)
    functions = Functions(engine, clients, relay)
    return Subject(store, functions, lambda: discards_of(engine))


@pytest.fixture(params=["memory", "sqlite", "postgresql", "aws"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "memory":
        yield in_memory()
        return
    on_file = request.param == "sqlite"
    engine = open_engine(
        f"sqlite:///{tmp_path}/store.db" if on_file else request.getfixturevalue("postgres_url")
    )
    metadata.create_all(engine)
    if request.param == "aws":
        request.getfixturevalue("aws")
        yield on_aws(engine)
    else:
        yield on_sql(engine)
    engine.dispose()


# --- figures ---------------------------------------------------------------------------------------------


def test_every_known_queue_has_figures_also_an_empty_one(subject: Subject) -> None:
    subject.store.declare(["payments", "mail"])
    subject.store.declare(["mail"])
    subject.send("lines", "a")
    assert [figures.name for figures in subject.store.figures(now=0)] == ["lines", "mail", "payments"]
    assert subject.store.queues() == ["lines", "mail", "payments"]


def test_a_queue_with_only_delayed_messages_is_known(subject: Subject) -> None:
    subject.send("mail", "a", delay=100)
    assert subject.store.queues() == ["mail"]
    assert subject.figures("mail", now=99) == QueueFigures(name="mail", delayed=1)


def test_a_delayed_message_that_is_due_waits(subject: Subject) -> None:
    subject.send("mail", "a", delay=500, now=1_000)
    assert subject.figures("mail", now=1_500) == QueueFigures(name="mail", waiting=1, oldest_age_s=0.5)


def test_figures_tell_the_states_apart(subject: Subject) -> None:
    subject.dead("invoices", "a")
    subject.send("invoices", "a", delay=9_000, now=1_000)
    subject.send("invoices", "a", "b", now=1_000)
    assert len(subject.take("invoices", now=1_000)) == 2
    subject.send("invoices", "a", now=1_000)
    assert subject.figures("invoices", now=3_500) == QueueFigures(
        name="invoices", waiting=1, in_flight=2, delayed=1, dead=1, oldest_age_s=2.5
    )


def test_a_paused_queue_says_so_and_goes_on_taking_messages(subject: Subject) -> None:
    subject.send("mail", "a")
    subject.store.pause("mail")
    subject.store.pause("mail")
    subject.send("mail", "a")
    assert not subject.store.is_open("mail", now=0)
    assert subject.figures("mail", now=3_000) == QueueFigures(
        name="mail", waiting=2, paused=True, oldest_age_s=3.0
    )
    subject.store.resume("mail")
    subject.store.resume("mail")
    assert subject.store.is_open("mail", now=0)
    assert not subject.figures("mail").paused


def test_a_queue_can_be_paused_before_its_first_message(subject: Subject) -> None:
    subject.store.pause("payments")
    assert subject.figures("payments") == QueueFigures(name="payments", paused=True)


# --- dead letters ----------------------------------------------------------------------------------------


def test_a_dead_letter_tells_what_it_was_and_why_it_died(subject: Subject) -> None:
    [dead] = subject.dead("mail", "a")
    assert subject.figures("mail").dead == 1
    [letter] = subject.store.dead_letters("mail", limit=10)
    assert (letter.id, letter.queue, letter.error, letter.attempts) == (dead, "mail", "no such mail", 1)
    assert (letter.sent_at, letter.died_at) == (0, 5)
    assert letter.envelope.message == SendMail(mail="mai_000001")


def test_dead_letters_are_listed_by_id_in_pages(subject: Subject) -> None:
    dead = subject.dead("mail", *"abcde")
    first = subject.store.dead_letters("mail", limit=3)
    assert [letter.id for letter in first] == dead[:3]
    rest = subject.store.dead_letters("mail", limit=3, after=first[-1].id)
    assert [letter.id for letter in rest] == dead[3:]
    assert subject.store.dead_letters("invoices", limit=3) == []


def test_redriven_messages_are_offered_again_with_their_attempts_forgotten(subject: Subject) -> None:
    dead = subject.dead("mail", *"abc")
    assert subject.store.redrive("mail", [dead[0], "msg_unknown"], now=7) == 1
    assert subject.store.redrive("invoices", dead, now=7) == 0
    assert subject.workers.take("mail", 7) == [(dead[0], 1)]
    assert subject.figures("mail", now=7).dead == 2
    assert subject.store.redrive("mail", None, now=8) == 2
    assert subject.take("mail", now=8) == dead[1:]
    assert subject.figures("mail", now=8).dead == 0


def test_only_dead_letters_can_be_redriven_or_discarded(subject: Subject) -> None:
    waiting = subject.send("mail", "a")
    assert subject.store.redrive("mail", waiting, now=7) == 0
    assert subject.store.discard("mail", waiting, now=7, by="acc_1", reason="spam") == 0
    assert subject.take("mail") == waiting
    assert subject.discards() == []


def test_a_discarded_message_is_gone_and_on_record(subject: Subject) -> None:
    dead = subject.dead("mail", "a", "b")
    gone = subject.store.discard("mail", [dead[0], "msg_unknown"], now=7, by="acc_1", reason="a trial")
    assert gone == 1
    assert [letter.id for letter in subject.store.dead_letters("mail", limit=9)] == dead[1:]
    assert subject.discards() == [(dead[0], 7, "acc_1", "a trial")]
    assert subject.store.redrive("mail", dead[:1], now=8) == 0

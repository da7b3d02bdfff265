"""What every spool promises to intake, over SQLite and AWS: what is taken is processed, once, however often it is asked for."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from pysqlite3 import dbapi2 as sqlite

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.intake import MAX_MESSAGE_BYTES, SqsSpool
from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.aws.relay import MOST_BYTES
from dealerflow.adapters.embedded.spool import SpoolWriter
from dealerflow.adapters.embedded.spool_reader import SqliteSpoolReader
from dealerflow.application.calls import KEPT_MS, KeyReused
from dealerflow.application.intake import Accepted, Spool
from dealerflow.application.message_events import from_cloud_event
from dealerflow.composition.testing import StillClock
from dealerflow.domain.errors import TooLarge, Unavailable
from dealerflow.domain.messages import Envelope, PlaceOrder
from dealerflow.domain.orders import Customer, NewOrder, Revision
from tests.ministack import ACCOUNT, REGION, MiniStack

NAMES = Names(stack="shop", region=REGION, account=ACCOUNT)


def order(number: int, *, dealership: str = "north", note: str | None = None) -> PlaceOrder:
    revision = Revision(
        number=1, catalogue_version=1, model="m", trim="t", colour="c", options=(), labels={}, lines=(),
        price=100, currency="EUR", note=note,
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


@dataclass(kw_only=True)
class Store:
    """A spool with the eyes and hands of the test.

    `taken` takes the ids of the orders that came out at its other end: what is taken twice there is one message twice.
    """

    spool: Spool
    clock: StillClock
    taken: Callable[[], list[str]]
    break_down: Callable[[], None]
    repair: Callable[[], None]

    def append(
        self, number: int, *, key: str | None = None, request: str = "r", answer: bytes = b"", **more: Any
    ) -> Accepted:
        answers: queue.SimpleQueue[Accepted | Exception] = queue.SimpleQueue()
        message, now = order(number, **more), self.clock.now()
        self.spool.append(message, answers.put, at=now, answer=answer, key=key, request=request)
        return cast("Accepted", given(answers))

    def find(self, key: str, request: str = "r") -> Accepted | None:
        answers: queue.SimpleQueue[Accepted | Exception | None] = queue.SimpleQueue()
        self.spool.find(key, request, answers.put, at=self.clock.now())
        return given(answers)


def given(answers: queue.SimpleQueue[Any]) -> Accepted | None:
    answer = answers.get(timeout=30)
    if isinstance(answer, Exception):
        raise answer
    return cast("Accepted | None", answer)


# --- on one machine, and on AWS ----------------------------------------------------------------------------


@pytest.fixture
def on_one_machine(tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "intake.db"
    writer = SpoolWriter(path)
    writer.open()
    other = sqlite.connect(path, isolation_level=None)
    with closing(SqliteSpoolReader(path)) as reader, closing(other):
        yield Store(
            spool=writer,
            clock=StillClock(),
            taken=lambda: [cast("PlaceOrder", one.message).new.id for one in reader.read(0, 1_000)],
            break_down=lambda: other.execute("BEGIN IMMEDIATE"),
            repair=lambda: other.execute("ROLLBACK"),
        )
    writer.close()


class Line:
    """The line to AWS: each call passes it twice, and may be cut there. Calls are named "PutItem", "SendMessage" …"""

    def __init__(self, clients: Clients) -> None:
        self.passed: list[str] = []
        self.is_cut = False
        self.cut: Callable[[str], None] = lambda _point: None
        for service in (clients.sqs, clients.dynamodb, clients.s3):
            service.meta.events.register("before-call", self._before)
            service.meta.events.register("before-send", self._send)
            service.meta.events.register("after-call", self._after)

    def _before(self, model: Any, **_: Any) -> None:
        self._pass(f"before {model.name}")

    def _send(self, request: Any, **_: Any) -> None:
        if self.is_cut:
            raise EndpointConnectionError(endpoint_url=request.url)

    def _after(self, model: Any, **_: Any) -> None:
        self._pass(f"after {model.name}")

    def _pass(self, point: str) -> None:
        self.passed.append(point)
        self.cut(point)


class AwsStore(Store):
    """A spool on AWS, its line, and what lies in the queue and the table."""

    def __init__(self, clients: Clients, line: Line, clock: StillClock) -> None:
        super().__init__(
            spool=SqsSpool(clients, NAMES),
            clock=clock,
            taken=lambda: sorted({str(envelope.order) for envelope, _ in self.received()}),
            break_down=lambda: setattr(line, "is_cut", True),
            repair=lambda: setattr(line, "is_cut", False),
        )
        self.clients = clients
        self.line = line

    def received(self) -> list[tuple[Envelope, str]]:
        """What lies in the queue, each with its group."""
        url = NAMES.queue_url("orders")
        found: list[tuple[Envelope, str]] = []
        while batch := self.clients.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=600,
            MessageSystemAttributeNames=["MessageGroupId"],
        ).get("Messages"):
            found += [
                (from_cloud_event(one["Body"]), one.get("Attributes", {}).get("MessageGroupId", ""))
                for one in batch
            ]
        return found

    def item(self, key: str) -> Any:
        """What the table holds of this key."""
        return self.clients.dynamodb.get_item(TableName=NAMES.table, Key={"id": {"S": key}}).get("Item")


@pytest.fixture
def on_aws(aws: MiniStack) -> AwsStore:
    clients = Clients(REGION, tries=1)
    clients.sqs.create_queue(QueueName=NAMES.queue_name("orders"))
    clients.dynamodb.create_table(
        TableName=NAMES.table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    clients.s3.create_bucket(Bucket=NAMES.bucket)
    return AwsStore(clients, Line(clients), StillClock())


@pytest.fixture(params=["on_one_machine", "on_aws"])
def store(request: pytest.FixtureRequest) -> Store:
    made: Store = request.getfixturevalue(request.param)
    return made


# --- the contract -------------------------------------------------------------------------------------------


def test_what_is_taken_comes_out_at_the_other_end(store: Store) -> None:
    assert store.append(1, answer=b"one").answer == b"one"
    assert store.append(2).replayed is False
    assert store.taken() == ["ord_000001", "ord_000002"]


def test_the_same_request_with_the_same_key_gets_the_first_answer_and_is_taken_once(store: Store) -> None:
    first = store.append(1, key="k", answer=b"one")
    again = store.append(2, key="k", answer=b"two")
    other = store.append(3, key="other", answer=b"three")
    assert [(one.answer, one.replayed) for one in (first, again, other)] == [
        (b"one", False),
        (b"one", True),
        (b"three", False),
    ]
    assert store.taken() == ["ord_000001", "ord_000003"]


def test_another_request_with_a_used_key_is_refused_and_not_taken(store: Store) -> None:
    store.append(1, key="k", request="one")
    with pytest.raises(KeyReused):
        store.append(2, key="k", request="two")
    with pytest.raises(KeyReused):
        store.find("k", "two")
    assert store.taken() == ["ord_000001"]


def test_what_was_answered_is_found_by_its_key(store: Store) -> None:
    assert store.find("k") is None
    store.append(1, key="k", answer=b"one")
    assert store.find("k") == Accepted(position=None, answer=b"one", replayed=True)
    assert store.taken() == ["ord_000001"]


def test_a_key_is_free_again_after_a_day(store: Store) -> None:
    store.append(1, key="k", answer=b"one")
    store.clock.pass_ms(KEPT_MS - 1_000)
    assert store.append(2, key="k", answer=b"two").replayed
    store.clock.pass_ms(1_000)
    assert store.find("k") is None
    assert store.append(3, key="k", request="another", answer=b"three") is not None
    assert store.taken() == ["ord_000001", "ord_000003"]


def test_the_same_key_many_times_at_once_is_one_order_and_one_answer(store: Store) -> None:
    answers: queue.SimpleQueue[Accepted] = queue.SimpleQueue()

    def ask(number: int) -> None:
        answers.put(store.append(number, key="k", answer=b"%d" % number))

    asking = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(8)]
    for one in asking:
        one.start()
    given_to_all = {answers.get(timeout=30).answer for _ in asking}
    assert len(given_to_all) == 1
    assert store.taken() == [f"ord_{int(given_to_all.pop()):06d}"]


def test_an_outage_refuses_and_is_over_when_it_is_over(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    store.break_down()
    for refused in (
        lambda: store.append(1),
        lambda: store.append(2, key="k", answer=b"two"),
        lambda: store.spool.put_snapshot(1, b"one"),
        store.spool.snapshot,
    ):
        with pytest.raises(Unavailable):
            refused()
    store.repair()
    assert store.append(3, key="k", answer=b"three").answer == b"three"
    assert store.taken() == ["ord_000003"]


def test_the_newest_snapshot_is_kept(store: Store) -> None:
    assert store.spool.snapshot() is None
    store.spool.put_snapshot(2, b"two")
    store.spool.put_snapshot(1, b"one")
    assert store.spool.snapshot() == (2, b"two")
    store.spool.put_snapshot(3, b"three")
    assert store.spool.snapshot() == (3, b"three")
    assert store.spool.snapshot() == (3, b"three")


# --- on AWS -------------------------------------------------------------------------------------------------


class Died(BaseException):
    """The function was ended here."""


KEYED = ["PutItem", "SendMessage", "UpdateItem"]
POINTS = [f"{side} {call}" for call in KEYED for side in ("before", "after")]


def test_an_order_with_a_key_is_these_calls(on_aws: AwsStore) -> None:
    on_aws.line.passed.clear()
    on_aws.append(1, key="k")
    assert on_aws.line.passed == POINTS
    on_aws.line.passed.clear()
    on_aws.append(2)
    assert on_aws.line.passed == ["before SendMessage", "after SendMessage"]


@pytest.mark.parametrize("point", POINTS)
def test_whoever_repeats_after_a_crash_has_one_order_with_its_first_id(on_aws: AwsStore, point: str) -> None:
    def die(at: str) -> None:
        if at == point:
            raise Died(at)

    on_aws.line.cut = die
    with pytest.raises(Died):
        on_aws.append(1, key="k", answer=b"one")
    on_aws.line.cut = lambda _point: None
    again = on_aws.append(2, key="k", answer=b"two")

    was_known = point != "before PutItem"
    assert (again.answer, again.replayed) == ((b"one", True) if was_known else (b"two", False))
    assert on_aws.taken() == ["ord_000001" if was_known else "ord_000002"]
    assert on_aws.append(3, key="k").replayed
    assert on_aws.received() == []


@pytest.mark.parametrize("point", POINTS)
def test_an_answer_that_never_comes_is_never_an_order_too_many(
    on_aws: AwsStore, point: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    def lose(at: str) -> None:
        if at == point:
            raise ReadTimeoutError(endpoint_url=at)

    on_aws.line.cut = lose
    if "UpdateItem" in point:
        assert (
            on_aws.append(1, key="k", answer=b"one").answer == b"one"
        )  # the order is safe: that is what counts
    else:
        with pytest.raises(Unavailable):
            on_aws.append(1, key="k", answer=b"one")
    on_aws.line.cut = lambda _point: None
    found = on_aws.find("k")
    again = on_aws.append(2, key="k", answer=b"two")
    assert again.answer == (b"two" if point == "before PutItem" else b"one")
    assert found is None or found.answer == again.answer
    assert len(on_aws.taken()) == 1


def test_another_body_is_refused_also_while_nobody_knows_whether_the_first_was_taken(
    on_aws: AwsStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    def lose(at: str) -> None:
        if at == "after SendMessage":
            raise ReadTimeoutError(endpoint_url=at)

    on_aws.line.cut = lose
    with pytest.raises(Unavailable):
        on_aws.append(1, key="k", request="one")
    on_aws.line.cut = lambda _point: None
    with pytest.raises(KeyReused):
        on_aws.append(2, key="k", request="two")


def test_an_order_is_sent_as_the_message_that_one_machine_makes_of_it(on_aws: AwsStore) -> None:
    on_aws.append(1, dealership="southside")
    assert on_aws.received() == [
        (
            Envelope(
                id="msg_ord_000001",
                queue="orders",
                message=order(1, dealership="southside"),
                group="southside",
                order="ord_000001",
                sent_at=1,
            ),
            "southside",
        )
    ]


def test_a_customers_data_leaves_the_table_when_the_order_was_sent(on_aws: AwsStore) -> None:
    on_aws.append(1, key="k", answer=b"one")
    item = on_aws.item("k")
    assert set(item) == {"id", "request", "answer", "group", "expires"}
    assert int(item["expires"]["N"]) == (on_aws.clock.now() + KEPT_MS) // 1000


def test_every_order_that_is_taken_can_be_sent_again_when_it_is_redriven() -> None:
    assert MAX_MESSAGE_BYTES <= MOST_BYTES


@pytest.mark.parametrize("key", [None, "k"])
def test_an_order_that_sqs_would_not_take_is_refused_with_its_size(on_aws: AwsStore, key: str | None) -> None:
    with pytest.raises(TooLarge, match=rf"{MAX_MESSAGE_BYTES} \(255 KiB\)"):
        on_aws.append(1, key=key, note="x" * MAX_MESSAGE_BYTES)
    assert on_aws.taken() == []
    assert on_aws.find("k") is None


def test_of_snapshots_put_at_the_same_time_the_newest_stays(on_aws: AwsStore) -> None:
    others = SqsSpool(on_aws.clients, NAMES)
    puts = iter([3])

    def another_puts(point: str) -> None:
        if point == "before PutObject" and (number := next(puts, None)):
            others.put_snapshot(number, b"three")

    on_aws.line.cut = another_puts
    on_aws.spool.put_snapshot(2, b"two")
    assert on_aws.spool.snapshot() == (3, b"three")


def test_a_snapshot_that_was_read_is_not_sent_again(on_aws: AwsStore) -> None:
    on_aws.spool.put_snapshot(1, b"one" * 1_000)
    on_aws.spool.snapshot()
    answered: list[int] = []
    on_aws.clients.s3.meta.events.register(
        "after-call", lambda http_response, **_: answered.append(http_response.status_code)
    )
    assert on_aws.spool.snapshot() == (1, b"one" * 1_000)
    assert answered == [304]

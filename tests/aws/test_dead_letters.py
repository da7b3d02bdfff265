"""What becomes of copies in the dead-letter queues: the decision alone, and the undertaker over a real emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.dead_letters import STALE_MS, Copy, DeadLetterQueues, Fate, Undertaker, fate
from dealerflow.adapters.aws.in_flight import SqsInFlight
from dealerflow.adapters.aws.names import QUEUES, Names
from dealerflow.adapters.aws.queues import AwsQueues
from dealerflow.adapters.aws.relay import Destinations, Relay
from dealerflow.adapters.clock import SystemClock
from dealerflow.adapters.database import outbox
from dealerflow.adapters.database.engine import open_engine, transaction
from dealerflow.adapters.database.outbox import Outbox, Standing
from dealerflow.adapters.database.tables import messages, metadata
from dealerflow.application.message_events import to_cloud_event
from dealerflow.application.queues import ORDERS
from dealerflow.domain.messages import AnyMessage, Envelope, PlaceOrder, SendMail, Unreadable
from dealerflow.domain.orders import Customer, NewOrder, PricedLine, Revision
from tests.ministack import ACCOUNT, REGION, MiniStack

NAMES = Names(stack="shop", region=REGION, account=ACCOUNT)
NOW = SystemClock().now()  # the emulator goes by the machine's clock
MAIL = Envelope(id="msg_1", queue="notifications", message=SendMail(mail="mai_1"), sent_at=NOW)


def an_order() -> Envelope:
    revision = Revision(
        number=1, catalogue_version=1, model="meridian", trim="base", colour="deep-blue", options=(),
        labels={}, lines=(PricedLine(kind="model", code="meridian", title={"en": "M"}, amount=1),), price=1, currency="EUR",
    )  # fmt: skip
    new = NewOrder(
        id="ord_1",
        dealership="northside",
        at=NOW,
        customer=Customer(name="Ana", email="ana@example.com"),
        revision=revision,
        terms=(),
    )
    return Envelope(id="ord_1", queue=ORDERS, message=PlaceOrder(new=new), order="ord_1", sent_at=NOW)


ORDER = an_order()
UNREAD = replace(ORDER, message=Unreadable(body='{"type":"OfAnotherVersion"}'))


def copy(envelope: Envelope | None, *, error: str, age: int = 0) -> Copy:
    return Copy(envelope=envelope, receipt="r", sent_at=NOW - age, error=error)


@pytest.mark.parametrize(
    ("found", "stands", "is_over", "expected"),
    [
        (copy(None, error=""), "gone", False, "stays"),
        (copy(MAIL, error="no such mail"), "dead", False, "stays"),
        (copy(MAIL, error=""), "dead", False, "stays"),
        # Its function is just about to mark it dead, or a redrive about to delete the copy.
        (copy(MAIL, error="no such mail", age=STALE_MS), "open", False, "stays"),
        (copy(MAIL, error="no such mail", age=STALE_MS + 1), "open", False, "goes"),
        (copy(MAIL, error="no such mail", age=STALE_MS + 1), "gone", False, "goes"),
        (copy(MAIL, error=""), "open", False, "dies"),
        (copy(MAIL, error=""), "gone", False, "goes"),
        (copy(ORDER, error=""), "gone", False, "dies"),
        (copy(ORDER, error=""), "gone", True, "goes"),
        (copy(UNREAD, error=""), "gone", False, "dies"),
    ],
)
def test_what_becomes_of_a_copy(found: Copy, stands: Standing, is_over: bool, expected: Fate) -> None:
    assert fate(found, stands, is_over, NOW) == expected


class Clock:
    """Stands still."""

    def __init__(self, at: int = NOW) -> None:
        self._at = at

    def now(self) -> int:
        return self._at


class Shop:
    """Queues with their dead-letter queues, an outbox, and who looks after both."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.clients = Clients(REGION)
        self.sqs = self.clients.sqs
        for queue in QUEUES:
            self.sqs.create_queue(QueueName=NAMES.dead_queue_name(queue))
            policy = f'{{"maxReceiveCount": "1", "deadLetterTargetArn": "{NAMES.dead_queue_arn(queue)}"}}'
            self.sqs.create_queue(QueueName=NAMES.queue_name(queue), Attributes={"RedrivePolicy": policy})
        self.outbox = Outbox(engine)
        self.dead = DeadLetterQueues(self.sqs, NAMES)
        self.undertaker = Undertaker(engine, self.outbox, self.dead, Clock())
        self.console = AwsQueues(
            engine,
            sqs=self.sqs,
            functions=self.clients.functions,
            names=NAMES,
            forward=lambda: None,
        )

    def forwarded(self, message: AnyMessage, id_: str = "msg_1", queue: str = "notifications") -> Envelope:
        """A message on its way: its row, and what SQS has."""
        envelope = Envelope(id=id_, queue=queue, message=message, sent_at=NOW)
        with transaction(self.engine) as connection:
            outbox.put(connection, [(envelope, 0)], NOW)
        self.outbox.forwarded([id_], now=NOW)
        self.into_sqs(envelope)
        return envelope

    def into_sqs(self, envelope: Envelope) -> None:
        url = NAMES.queue_url(NAMES.physical(envelope.queue))
        self.sqs.send_message(QueueUrl=url, MessageBody=to_cloud_event(envelope).decode())

    def a_function_crashes(self, queue: str) -> None:
        """It takes a message and is never heard of again: at the next look SQS moves it to the dead letters."""
        url = NAMES.queue_url(queue)
        assert self.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages")
        assert not self.sqs.receive_message(QueueUrl=url).get("Messages")

    def lying(self, queue: str) -> int:
        """How many copies are in sight."""
        answer = self.sqs.get_queue_attributes(
            QueueUrl=NAMES.dead_queue_url(queue), AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def looked(self, queue: str) -> list[list[Copy]]:
        found = list(self.dead.look(queue))
        for batch in found:
            self.dead.give_back(queue, batch)
        return found


@pytest.fixture
def shop(aws: MiniStack, postgres_url: str) -> Iterator[Shop]:
    assert aws.url
    engine = open_engine(postgres_url)
    metadata.create_all(engine)
    yield Shop(engine)
    engine.dispose()


def test_what_sqs_gave_up_is_dead_and_its_alarm_stays(shop: Shop) -> None:
    shop.forwarded(MAIL.message)
    shop.a_function_crashes("notifications")
    assert shop.undertaker.step() == 1
    [letter] = shop.console.dead_letters("notifications", limit=9)
    assert (letter.id, letter.died_at) == ("msg_1", NOW)
    assert "AWS gave it up" in letter.error
    assert shop.lying("notifications") == 1
    assert shop.undertaker.step() == 0


def test_what_its_topic_could_not_deliver_is_dead_too(shop: Shop) -> None:
    envelope = shop.forwarded(MAIL.message)
    # SNS puts what it could not deliver straight into the dead-letter queue of its subscription.
    body = to_cloud_event(envelope).decode()
    shop.sqs.send_message(QueueUrl=NAMES.dead_queue_url("notifications"), MessageBody=body)
    assert shop.undertaker.step() == 1
    assert [one.id for one in shop.console.dead_letters("notifications", limit=9)] == ["msg_1"]


def test_what_a_function_buried_a_moment_ago_is_left_to_it(shop: Shop) -> None:
    envelope = shop.forwarded(MAIL.message)
    buries = SqsInFlight(shop.sqs, NAMES, "notifications")
    buries.bury(to_cloud_event(envelope).decode(), "no such mail")
    assert [one.error for batch in shop.looked("notifications") for one in batch] == ["no such mail"]
    assert shop.undertaker.step() == 0
    assert shop.console.dead_letters("notifications", limit=9) == []
    assert shop.lying("notifications") == 1


def test_an_order_that_sqs_gave_up_gets_a_row_and_can_be_redriven(shop: Shop) -> None:
    shop.into_sqs(ORDER)
    shop.a_function_crashes(ORDERS)
    assert shop.undertaker.step() == 1
    [letter] = shop.console.dead_letters(ORDERS, limit=9)
    assert letter.envelope.message == ORDER.message
    assert shop.console.redrive(ORDERS, None, now=NOW) == 1
    assert [one.id for one in shop.outbox.due(9, now=NOW)] == ["ord_1"]
    assert shop.lying(ORDERS) == 0


def test_a_copy_of_what_is_done_is_cleared_away(shop: Shop) -> None:
    shop.forwarded(MAIL.message)
    shop.a_function_crashes("notifications")
    shop.outbox.over(["msg_1"])
    assert shop.undertaker.step() == 0
    assert shop.lying("notifications") == 0


def test_what_nobody_can_read_stays_for_a_person(shop: Shop) -> None:
    shop.sqs.send_message(QueueUrl=NAMES.dead_queue_url("payments"), MessageBody="no message of ours")
    assert shop.undertaker.step() == 0
    assert shop.lying("payments") == 1


def test_a_redrive_of_some_takes_away_their_copies_and_leaves_the_others_in_sight(shop: Shop) -> None:
    for number in range(12):
        envelope = shop.forwarded(SendMail(mail=f"mai_{number}"), f"msg_{number:02}", "deliveries-north")
        shop.outbox.bury(envelope.id, now=NOW, error="no")
        body = to_cloud_event(envelope).decode()
        shop.sqs.send_message(QueueUrl=NAMES.dead_queue_url("deliveries"), MessageBody=body)
    assert shop.console.redrive("deliveries-north", ["msg_03", "msg_11"], now=NOW) == 2
    left = {one.id for batch in shop.looked("deliveries") for one in batch}
    assert left == {f"msg_{number:02}" for number in range(12)} - {"msg_03", "msg_11"}


def test_a_discard_takes_away_the_copy(shop: Shop) -> None:
    shop.forwarded(MAIL.message)
    shop.a_function_crashes("notifications")
    shop.undertaker.step()
    gone = shop.console.discard("notifications", ["msg_1"], now=NOW, by="acc_1", reason="a trial")
    assert gone == 1
    assert shop.lying("notifications") == 0


def test_what_cannot_be_read_is_not_forwarded_and_holds_up_nobody_else(shop: Shop) -> None:
    for id_ in ("msg_1", "msg_2"):
        shop.forwarded(MAIL.message, id_, "invoices")
        shop.outbox.bury(id_, now=NOW, error="no")
    with transaction(shop.engine) as connection:
        newer = sa.update(messages).where(messages.c.id == "msg_1").values(body='{"type": "SendParcel"}')
        connection.execute(newer)
    assert shop.console.redrive("invoices", None, now=NOW) == 2
    services = shop.clients
    ways = Destinations(sqs=services.sqs, sns=services.sns, bus=services.events, names=NAMES)
    assert Relay(shop.outbox, ways, Clock()).forward(shop.outbox.due(9, now=NOW)) == 1
    assert shop.lying("invoices") == 0, "it is left to the relay on the schedule"

    later = NOW + outbox.RELAY_LEASE_MS
    assert Relay(shop.outbox, ways, Clock(later), shop.dead).step() == 1
    [letter] = shop.console.dead_letters("invoices", limit=9)
    assert (letter.id, letter.died_at) == ("msg_1", later)
    assert "cannot be read" in letter.error
    assert [copy.id for batch in shop.looked("invoices") for copy in batch] == ["msg_1"]

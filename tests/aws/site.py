"""The deployed stack on which rights are taken away: its people, its cars, messages by hand, and what is said of refusals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from dealerflow.adapters.clock import SystemClock, TimeIds
from dealerflow.adapters.database import outbox
from dealerflow.adapters.database.tables import messages
from dealerflow.application.message_events import to_cloud_event
from dealerflow.domain import messages as m
from dealerflow.domain.events import Event
from dealerflow.domain.messages import Envelope
from tests.aws.emulator import Emulator
from tests.aws.roles import Roles
from tests.aws.subscriber import Subscriber
from tests.stories.driver import Json, Order, People
from tests.stories.on_aws import STACK, OnAws

PATIENCE_SECONDS = 60.0  # far more than anything here takes
LOG_GROUP = f"/dealerflow/{STACK}/functions"


class Answer(NamedTuple):
    """What a function answered. `failed`: it raised something."""

    failed: bool
    said: Any


class Lying(NamedTuple):
    """How many messages a queue holds: to be had now, and hidden."""

    visible: int
    hidden: int


class Site:
    """The deployed stack. `subscriber` hears its webhooks."""

    def __init__(
        self, emulator: Emulator, installation: OnAws, engine: sa.Engine, subscriber: Subscriber
    ) -> None:
        self.emulator = emulator
        self.installation = installation
        self.engine = engine
        self.subscriber = subscriber
        self.people = People(installation)
        self.roles = Roles(emulator, STACK)
        self.cars: dict[str, list[Json]] = {}
        self.stands: Order  # a car that waits for its quality check, and whose state machine is left alone
        self._clock = SystemClock()
        self._ids = TimeIds(self._clock.now)
        self._logs = emulator.client("logs")
        self._lambda = emulator.client("lambda")
        self._sqs = emulator.client("sqs")
        self._heard: dict[str, list[str]] = {}
        self._failures: list[tuple[float, str]] = []

    # --- cars ---

    def car(self, state: str) -> Order:
        """One that stands in this state; nobody else gets it."""
        row = self.cars[state].pop()
        dealer = self.people.dealer(row["dealership"])
        link = dealer.sends(f"/orders/{row['id']}/link", expect=200)
        customer = self.people.new_customer(row["customer"]["name"], "ana@example.com")
        return customer.knows({**row, **link})

    # --- what functions say ---

    def words(self, since: float) -> str:
        """What functions logged since then, and with what they failed."""
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=LOG_GROUP, startTime=int(since * 1000)
        )
        logged = [event["message"] for page in pages for event in page["events"]]
        return "\n".join([*logged, *(failure for at, failure in self._failures if at >= since)])

    def refused(self, since: float) -> set[tuple[str, str]]:
        """(function, action) of what was refused to functions since then."""
        return self.roles.refused(self.words(since))

    # --- messages by hand ---

    def envelope(self, queue: str, message: m.AnyMessage, order: Order | None = None) -> Envelope:
        """A message that stands in no store yet."""
        return Envelope(
            id=self._ids.new("msg"),
            queue=queue,
            message=message,
            group="northside",
            order=order.id if order else None,
            sent_at=self._clock.now(),
        )

    @contextmanager
    def waiting(
        self, queue: str, message: m.AnyMessage, order: Order | None = None, **columns: Any
    ) -> Iterator[Envelope]:
        """The message stands in the outbox, as if somebody were about to forward it. It is taken back in the end."""
        envelope = self.envelope(queue, message, order)
        with self.engine.begin() as connection:
            outbox.put(connection, [(envelope, 0)], self._clock.now())
            if columns:
                connection.execute(sa.update(messages).where(messages.c.id == envelope.id).values(**columns))
        try:
            yield envelope
        finally:
            with self.engine.begin() as connection:
                outbox.done(connection, [envelope.id])

    def forgets_what_stayed(self) -> None:
        """What nobody could forward the schedule would in a minute, in the middle of another story."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(messages).where(messages.c.owner == outbox.RELAY))

    def row(self, envelope: Envelope) -> Any:
        """The message's row; None if it is gone."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(messages).where(messages.c.id == envelope.id)).one_or_none()

    def put_into(self, physical: str, envelope: Envelope | str) -> None:
        """Into a queue on AWS."""
        body = envelope if isinstance(envelope, str) else to_cloud_event(envelope).decode()
        self._sqs.send_message(QueueUrl=self._url(physical), MessageBody=body)

    def lying(self, physical: str) -> Lying:
        """What lies in a queue on AWS."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url(physical), AttributeNames=names)
        return Lying(*(int(answer["Attributes"][name]) for name in names))

    @contextmanager
    def emptied(self, physical: str) -> Iterator[None]:
        """Whatever comes into this queue within the block does not stay there."""
        try:
            yield
        finally:
            self._sqs.purge_queue(QueueUrl=self._url(physical))

    def heard(self, physical: str, words: str) -> bool:
        """Whether a message with these words came to this queue, which nobody else reads."""
        heard = self._heard.setdefault(physical, [])
        while found := self._sqs.receive_message(QueueUrl=self._url(physical), MaxNumberOfMessages=10).get(
            "Messages"
        ):
            heard += [message["Body"] for message in found]
            for message in found:
                self._sqs.delete_message(QueueUrl=self._url(physical), ReceiptHandle=message["ReceiptHandle"])
        return any(words in body for body in heard)

    def _url(self, physical: str) -> str:
        return str(self._sqs.get_queue_url(QueueName=f"{STACK}-{physical}")["QueueUrl"])

    # --- functions ---

    def invoke(self, function: str, event: Json) -> Answer:
        """Call the function, whether it fails or not."""
        answer = self._lambda.invoke(FunctionName=f"{STACK}-{function}", Payload=json.dumps(event).encode())
        payload = answer["Payload"].read() or b"null"
        failed = "FunctionError" in answer
        if failed:
            self._failures.append((time.time(), payload.decode()))
        return Answer(failed, json.loads(payload))

    def starts_anew(self, function: str) -> None:
        """The next call finds a new environment, which remembers nothing."""
        self.sets(function, DEALERFLOW_TOUCHED=str(time.time()))

    def sets(self, function: str, **variables: str) -> None:
        """Change the function's environment."""
        name = f"{STACK}-{function}"
        known = self._lambda.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        self._lambda.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**known, **variables}}
        )

    @contextmanager
    def without_schedule(self, function: str) -> Iterator[None]:
        """Within the block nobody begins a call of the function but the test."""
        scheduler, name = self.emulator.client("scheduler"), f"{STACK}-{function}"
        known = scheduler.get_schedule(Name=name)
        kept = {key: known[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
        scheduler.update_schedule(**kept, State="DISABLED")
        try:
            yield
        finally:
            scheduler.update_schedule(**kept, State="ENABLED")

    # --- what is to be seen ---

    def event_of(self, order: Order) -> Event:
        """Something that happened to this order."""
        [told, *_] = self.people.events(order)
        return Event(
            id=told["id"], type=told["type"], at=self._clock.now(), dealership="northside", order=order.id
        )

    def comes(self, so: Callable[[], bool]) -> bool:
        """Wait until it is so, or for long enough."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        return any(so() or time.monotonic() > deadline for _ in self.installation.moments()) and so()

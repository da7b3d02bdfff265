"""The dead-letter queues: where copies of dead messages lie, so that an alarm sees them. What is dead the database says.

a handler failed too often ──> its row is dead, and the function puts a copy here
no service takes it        ──> its row is dead, and the relay puts a note here, which has the message's id
SQS or SNS gave it up      ──> it lies here and says no error; the undertaker marks its row dead
redriven or discarded      ──> its copy is deleted
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.in_flight import ERROR_ATTRIBUTE, put_aside
from dealerflow.adapters.aws.names import QUEUES, Names
from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.outbox import Outbox, Standing, standing, was_discarded
from dealerflow.application.message_events import from_cloud_event, to_cloud_event
from dealerflow.application.ports import Clock
from dealerflow.application.queues import ORDERS
from dealerflow.domain.errors import Malformed
from dealerflow.domain.messages import AnyMessage, Envelope, Unreadable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

log = logging.getLogger(__name__)

AT_ONCE = 10  # SQS
HIDDEN_S = 60  # from others, while one looks through them
MOST_LOOKED_AT = 1_000  # of one queue in one go; a function on AWS has seconds, and looks again
# A copy is made before its row is dead; one that has no dead row for so long was left by a redrive that broke off.
STALE_MS = 15 * 60 * 1000
GIVEN_UP = (
    "AWS gave it up: its function ended again and again before it could say why (see its log), what it needs was away for "
    "days, or its topic could not reach its queue"
)

_IN_ITS_ROW = cast("AnyMessage", Unreadable(body="it is in its row"))

Fate = Literal["stays", "dies", "goes"]


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a dead-letter queue. No envelope: it is none of ours. `error`: why its function put it here; "" if AWS did."""

    envelope: Envelope | None
    receipt: str
    sent_at: int
    error: str = ""

    @property
    def id(self) -> str:
        """The message's id, "" if it has none."""
        return self.envelope.id if self.envelope else ""


class DeadLetterQueues:
    """Looks into them. Queues are named as AWS has them (`Names.physical`). Raises Outage."""

    def __init__(self, sqs: SQSClient, names: Names) -> None:
        self._sqs = sqs
        self._names = names

    def note(self, envelope: Envelope, error: str) -> None:
        """Put a note of a message here that is dead and may be too long for SQS itself."""
        url = self._names.dead_queue_url(self._names.dead_with(envelope.queue))
        put_aside(self._sqs, url, to_cloud_event(replace(envelope, message=_IN_ITS_ROW)).decode(), error)

    def is_empty(self, physical: str) -> bool:
        """As SQS tells at once, which may be a moment behind."""
        with aws_calls("SQS"):
            answer = self._sqs.get_queue_attributes(
                QueueUrl=self._names.dead_queue_url(physical),
                AttributeNames=["ApproximateNumberOfMessages"],
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"]) == 0

    def look(self, physical: str) -> Iterator[list[Copy]]:
        """What lies there, some at a time, each hidden from others until it is deleted, given back, or HIDDEN_S are over."""
        seen = 0
        while seen < MOST_LOOKED_AT and (batch := self._receive(physical)):
            seen += len(batch)
            yield batch

    def _receive(self, physical: str) -> list[Copy]:
        with aws_calls("SQS"):
            answer = self._sqs.receive_message(
                QueueUrl=self._names.dead_queue_url(physical),
                MaxNumberOfMessages=AT_ONCE,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=1,  # asks all of SQS's servers; without waiting an empty answer would mean nothing
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=[ERROR_ATTRIBUTE],
            )
        return [_copy(message) for message in answer.get("Messages", ())]

    def delete(self, physical: str, copies: Sequence[Copy]) -> None:
        """These are over. One whose hiding is over already is found again by the next look."""
        for some in _tens(copies):
            entries: list[Any] = [
                {"Id": str(place), "ReceiptHandle": copy.receipt} for place, copy in enumerate(some)
            ]
            with aws_calls("SQS"):
                self._sqs.delete_message_batch(QueueUrl=self._names.dead_queue_url(physical), Entries=entries)

    def give_back(self, physical: str, copies: Sequence[Copy]) -> None:
        """Let others see these again at once."""
        for some in _tens(copies):
            entries: list[Any] = [
                {"Id": str(place), "ReceiptHandle": copy.receipt, "VisibilityTimeout": 0}
                for place, copy in enumerate(some)
            ]
            with aws_calls("SQS"):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._names.dead_queue_url(physical), Entries=entries
                )

    def remove(self, physical: str, message_ids: set[str]) -> None:
        """Delete the copies of these messages."""
        missing, others = set(message_ids), list[Copy]()
        if not missing or self.is_empty(physical):
            return
        try:
            for batch in self.look(physical):
                found = [copy for copy in batch if copy.id in message_ids]
                others += [copy for copy in batch if copy.id not in message_ids]
                self.delete(physical, found)
                missing -= {copy.id for copy in found}
                if not missing:
                    break
        finally:
            self.give_back(physical, others)


class Undertaker:
    """Marks dead what AWS itself gave up, and clears away copies of what is not dead any more. For the schedule."""

    def __init__(self, engine: sa.Engine, outbox: Outbox, dead: DeadLetterQueues, clock: Clock) -> None:
        self._engine = engine
        self._outbox = outbox
        self._dead = dead
        self._clock = clock

    def step(self, is_time_up: Callable[[], bool] = lambda: False) -> int:
        """Look into every dead-letter queue that is not empty, as far as there is time; how many messages were found dead.

        Raises Outage.
        """
        return sum(
            self._sort(physical, is_time_up)
            for physical in QUEUES
            if not is_time_up() and not self._dead.is_empty(physical)
        )

    def _sort(self, physical: str, is_time_up: Callable[[], bool]) -> int:
        found, stay = 0, list[Copy]()
        try:
            for batch in self._dead.look(physical):
                fates = self._fates(batch)
                for copy, fate in zip(batch, fates, strict=True):
                    if fate == "dies" and copy.envelope is not None:
                        self._bury(copy.envelope)
                        found += 1
                stay += [copy for copy, fate in zip(batch, fates, strict=True) if fate != "goes"]
                self._dead.delete(
                    physical, [copy for copy, fate in zip(batch, fates, strict=True) if fate == "goes"]
                )
                if is_time_up():
                    break
        finally:
            self._dead.give_back(physical, stay)
        return found

    def _fates(self, copies: Sequence[Copy]) -> list[Fate]:
        now = self._clock.now()
        with transaction(self._engine) as connection:
            stand = standing(connection, [copy.id for copy in copies])
            return [fate(copy, stand[copy.id], _is_over(connection, copy), now) for copy in copies]

    def _bury(self, envelope: Envelope) -> None:
        now = self._clock.now()
        if envelope.queue == ORDERS:
            self._outbox.failed(envelope, now=now, error=GIVEN_UP)  # it may have no row before
        self._outbox.bury(envelope.id, now=now, error=GIVEN_UP)
        log.error("message %s is dead: %s", envelope.id, GIVEN_UP)


def fate(copy: Copy, stands: Standing, is_over: bool, now: int) -> Fate:
    """What becomes of a copy whose message stands so. `is_over`: an order from intake that was stored, or discarded.

    What stays keeps its alarm. What cannot be read only a person can judge.
    """
    if copy.envelope is None or stands == "dead":
        return "stays"
    if copy.error:
        return "goes" if now - copy.sent_at > STALE_MS else "stays"
    if stands == "open":
        return "dies"
    return "dies" if copy.envelope.queue == ORDERS and not is_over else "goes"


def _is_over(connection: sa.Connection, copy: Copy) -> bool:
    if copy.envelope is None or copy.envelope.queue != ORDERS:
        return False
    stored = sa.select(sa.exists().where(t.orders.c.id == copy.envelope.order))
    return bool(connection.execute(stored).scalar_one()) or was_discarded(connection, copy.id)


def _copy(message: MessageTypeDef) -> Copy:
    system = message.get("Attributes", {})
    said = message.get("MessageAttributes", {}).get(ERROR_ATTRIBUTE)
    try:
        envelope = from_cloud_event(message.get("Body", ""))
    except Malformed:
        envelope = None
    return Copy(
        envelope=envelope,
        receipt=message.get("ReceiptHandle", ""),
        sent_at=int(system.get("SentTimestamp", 0)),
        error=said["StringValue"] if said else "",
    )


def _tens(copies: Sequence[Copy]) -> Iterator[Sequence[Copy]]:
    return (copies[start : start + AT_ONCE] for start in range(0, len(copies), AT_ONCE))

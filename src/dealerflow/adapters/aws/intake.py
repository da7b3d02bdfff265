"""Intake's own store on AWS: orders go to SQS, their idempotency keys to DynamoDB, the snapshot to an object in S3.

An order without an Idempotency-Key is one call: SQS has it, or the customer is told that it was not taken.
One with a key is three:

    1. PutItem   the key, with request, answer and the order itself, if the key is free (or its day is over)
    2. SendMessage   the order
    3. UpdateItem   the key's item says `sent`, and holds the order (a customer's data) no longer

A crash, or an answer that never comes, between them:

    before 1   nothing is known of the call: a repeat is a first time
    1 to 2     the item is there, not `sent`: a repeat sends *its* order, so the order keeps the id that it was given first
    2 to 3     the same: the order is sent once more, as the same message; whoever works it finds the order there already
    after 3    a repeat gets the kept answer, and nothing is sent
    two at once   one's PutItem is refused and gives it the other's item: as "1 to 2", both send the same message

While an item is not `sent` nobody can know whether SQS has its order. So another body with that key is refused also then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.aws.snapshots import StoredSnapshot
from dealerflow.application.calls import KEPT_MS, KeyReused
from dealerflow.application.intake import Accepted, Done, envelope_of
from dealerflow.application.message_events import to_cloud_event
from dealerflow.application.queues import ORDERS
from dealerflow.domain.errors import Outage, TooLarge, Unavailable
from dealerflow.domain.messages import AnyMessage, PlaceOrder

log = logging.getLogger(__name__)

# SQS takes 256 KiB everywhere (newer queues 1 MiB); the relay, which may have to send the order once more, a little less.
MAX_MESSAGE_BYTES = 255 * 1024


class SqsSpool:
    """Implements `application.intake.Spool`. Calls are made in the caller's thread: a function has one request at a time.

    There is no position: SQS remembers what was worked. So pruning, and forgetting old keys (DynamoDB's own time to live does
    it), are nothing here.
    """

    id = "sqs"
    last = 0

    def __init__(self, clients: Clients, names: Names) -> None:
        self._clients = clients
        self._names = names
        self._snapshots = StoredSnapshot(clients, names.bucket)

    def append(
        self,
        message: AnyMessage,
        done: Done,
        *,
        at: int,
        answer: bytes = b"",
        key: str | None = None,
        request: str = "",
    ) -> None:
        """See `Spool.append`. TooLarge is given for an order that SQS would not take."""
        self._tell(done, lambda: self._append(message, at=at, answer=answer, key=key, request=request))

    def find(
        self, key: str, request: str, done: Callable[[Accepted | Exception | None], None], *, at: int
    ) -> None:
        """See `Spool.find`. An order that may not have reached SQS is sent (again)."""
        self._tell(done, lambda: self._find(key, request, at))

    def sent_at(self, position: int) -> int | None:  # noqa: ARG002 - there are no positions here
        return None

    def prune(self, position: int) -> None:
        """Nothing: SQS forgets what was worked."""

    def expire_keys(self, before: int) -> None:
        """Nothing: DynamoDB forgets them."""

    def put_snapshot(self, number: int, body: bytes) -> None:
        with _unavailable("the snapshot cannot be kept now"):
            self._snapshots.put(number, body)

    def snapshot(self) -> tuple[int, bytes] | None:
        with _unavailable("the snapshot cannot be read now"):
            return self._snapshots.get()

    def _tell(self, done: Callable[[Any], None], act: Callable[[], Accepted | None]) -> None:
        try:
            answer: Accepted | Exception | None = act()
        except Outage as outage:
            log.warning("an order cannot be taken now: %s", outage)
            answer = Unavailable("orders cannot be taken at the moment")
        except Exception as error:  # noqa: BLE001 - whoever waits is answered, whatever it is
            answer = error
        done(answer)

    def _append(
        self, message: AnyMessage, *, at: int, answer: bytes, key: str | None, request: str
    ) -> Accepted:
        if not isinstance(message, PlaceOrder):
            raise TypeError("intake takes orders only")
        item = _Kept(
            request=request,
            answer=answer,
            group=message.new.dealership,
            message=to_cloud_event(envelope_of(message)),
        )
        if len(item.message) > MAX_MESSAGE_BYTES:
            raise TooLarge(
                f"With what the catalogue says of it this order has {len(item.message)} bytes, and the queue takes "
                f"{MAX_MESSAGE_BYTES} (255 KiB): choose fewer options, or shorten the note."
            )
        if key is None:
            self._send(item)
            return Accepted(position=None, answer=answer)
        earlier = self._reserve(key, item, at)
        if earlier is not None:
            return self._again(key, request, earlier)
        self._send(item)
        self._mark_sent(key, item)
        return Accepted(position=None, answer=answer)

    def _find(self, key: str, request: str, at: int) -> Accepted | None:
        with aws_calls("DynamoDB"):
            found = self._clients.dynamodb.get_item(
                TableName=self._names.table, Key={"id": {"S": key}}, ConsistentRead=True
            ).get("Item")
        if found is None or int(found["expires"]["N"]) <= at // 1000:
            return None
        return self._again(key, request, _Kept.of(found))

    def _again(self, key: str, request: str, earlier: _Kept) -> Accepted:
        if earlier.request != request:
            raise KeyReused
        if earlier.message:
            self._send(earlier)
            self._mark_sent(key, earlier)
        return Accepted(position=None, answer=earlier.answer, replayed=True)

    def _reserve(self, key: str, item: _Kept, at: int) -> _Kept | None:
        """Keep the item with this key; what is kept there instead, if anything is."""
        with aws_calls("DynamoDB"):
            try:
                self._clients.dynamodb.put_item(
                    TableName=self._names.table,
                    Item=item.attributes(key, expires=(at + KEPT_MS) // 1000),
                    # What has expired may still lie there for days, until DynamoDB removes it.
                    ConditionExpression="attribute_not_exists(id) OR expires <= :now",
                    ExpressionAttributeValues={":now": {"N": str(at // 1000)}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._clients.dynamodb.exceptions.ConditionalCheckFailedException as refused:
                return _Kept.of(refused.response["Item"])  # type: ignore[typeddict-item]
        return None

    def _send(self, item: _Kept) -> None:
        with aws_calls("SQS"):
            self._clients.sqs.send_message(
                QueueUrl=self._names.queue_url(ORDERS),
                MessageBody=item.message.decode(),
                # A standard queue: the group orders nothing, it makes turns fair between dealerships.
                MessageGroupId=item.group,
            )

    def _mark_sent(self, key: str, item: _Kept) -> None:
        # The order is safe. If this fails a repeat sends it once more, which harms nobody.
        try:
            with aws_calls("DynamoDB"):
                self._clients.dynamodb.update_item(
                    TableName=self._names.table,
                    Key={"id": {"S": key}},
                    UpdateExpression="REMOVE #message",
                    ConditionExpression="#request = :request AND #answer = :answer",
                    ExpressionAttributeNames={
                        "#message": "message",
                        "#request": "request",
                        "#answer": "answer",
                    },
                    ExpressionAttributeValues={
                        ":request": {"S": item.request},
                        ":answer": {"B": item.answer},
                    },
                )
        except (Outage, ClientError) as error:
            log.warning("a key could not be marked as sent: %s", error)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept with a key. `message` is the order that goes to SQS; empty once it was sent."""

    request: str
    answer: bytes
    group: str
    message: bytes

    def attributes(self, key: str, *, expires: int) -> dict[str, Any]:
        """As DynamoDB's attributes. `expires` in seconds since epoch, as its time to live wants it."""
        return {
            "id": {"S": key},
            "request": {"S": self.request},
            "answer": {"B": self.answer},
            "group": {"S": self.group},
            "message": {"B": self.message},
            "expires": {"N": str(expires)},
        }

    @classmethod
    def of(cls, item: Any) -> _Kept:
        """From DynamoDB's attributes."""
        return cls(
            request=item["request"]["S"],
            answer=bytes(item["answer"]["B"]),
            group=item["group"]["S"],
            message=bytes(item["message"]["B"]) if "message" in item else b"",
        )


@contextmanager
def _unavailable(detail: str) -> Iterator[None]:
    """Says of an outage what intake's users have to know."""
    try:
        yield
    except Outage as outage:
        log.warning("%s: %s", detail, outage)
        raise Unavailable(detail) from outage

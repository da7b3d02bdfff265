"""An SQS queue as its consumer sees it: what is offered again later, what is put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.aws.receiver import Delivery

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

LONGEST_VISIBILITY_S = 11 * 3600  # SQS: twelve hours after the message was received
LONGEST_ERROR_BYTES = 1_000
MOST_BYTES = 256 * 1024  # SQS: of a message with its attributes
ERROR_ATTRIBUTE = "error"  # tells a copy that a function buried from what AWS gave up
_TYPE = "String"


class SqsInFlight:
    """Implements `receiver.InFlight` for one queue."""

    def __init__(self, client: SQSClient, names: Names, queue: str) -> None:
        self._client = client
        self._url = names.queue_url(queue)
        self._dead_url = names.dead_queue_url(queue)

    def later(self, delivery: Delivery, seconds: int) -> None:
        with aws_calls("SQS"):
            self._client.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=delivery.receipt,
                VisibilityTimeout=max(0, min(seconds, LONGEST_VISIBILITY_S)),
            )

    def bury(self, body: str, error: str) -> None:
        put_aside(self._client, self._dead_url, body, error)


def put_aside(client: SQSClient, url: str, body: str, error: str) -> None:
    """Put this into a dead-letter queue, with as much of the error as goes in beside it. Raises Outage."""
    with aws_calls("SQS"):
        client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=_attributes(body, error))


def _attributes(body: str, error: str) -> dict[str, Any]:
    room = MOST_BYTES - len(body.encode()) - len(ERROR_ATTRIBUTE) - len(_TYPE)
    plain = "".join(c if c.isprintable() else " " for c in error).encode()
    said = plain[: max(0, min(room, LONGEST_ERROR_BYTES))].decode(errors="ignore") or "?"[:room]
    return {ERROR_ATTRIBUTE: {"DataType": _TYPE, "StringValue": said}} if said else {}

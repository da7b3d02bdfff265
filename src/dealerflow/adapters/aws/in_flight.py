"""An SQS queue as its consumer sees it: what is offered again later, what is put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.aws.receiver import Delivery

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

LONGEST_VISIBILITY_S = 11 * 3600  # SQS: twelve hours after the message was received
LONGEST_ATTRIBUTE = 1_000
ERROR_ATTRIBUTE = "error"  # tells a copy that a function buried from what AWS gave up


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
        plain = "".join(c if c.isprintable() else " " for c in error)[:LONGEST_ATTRIBUTE] or "unknown"
        with aws_calls("SQS"):
            self._client.send_message(
                QueueUrl=self._dead_url,
                MessageBody=body,
                MessageAttributes={ERROR_ATTRIBUTE: {"DataType": "String", "StringValue": plain}},
            )

"""Messages as they travel outside the database (SQS, SNS): CloudEvents 1.0 in JSON (https://github.com/cloudevents/spec).

    {"specversion": "1.0", "type": "dealerflow.command.MoveOrder", "source": "/dealerflow", "id": "msg_…",
     "subject": "ord_…", "time": "2026-01-31T12:00:00.000Z", "datacontenttype": "application/json",
     "queue": "decisions", "group": "northside", "traceparent": "00-…", "data": {"type": "MoveOrder", …}}

`queue`, `group` and `traceparent` are extension attributes; `data` is the message as docs/reference/messages.md describes it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import msgspec

from dealerflow.application.cloud_events import SOURCE, TYPE_PREFIX
from dealerflow.domain.errors import Malformed
from dealerflow.domain.messages import AnyMessage, Envelope, Unreadable

COMMAND_PREFIX = TYPE_PREFIX + "command."


class CommandEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message with its envelope. What a broker adds of its own is left alone."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    data: msgspec.Raw
    datacontenttype: str
    queue: str
    subject: str | None = None
    group: str = ""
    traceparent: str | None = None


_encode = msgspec.json.Encoder().encode
# The two characters of Unicode that SQS refuses as they are. In JSON they can only stand within strings.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_REFUSED = {"\ufffe".encode(): b"\\ufffe", "\uffff".encode(): b"\\uffff"}
_read_event = msgspec.json.Decoder(CommandEvent).decode
_read_message = msgspec.json.Decoder(AnyMessage).decode


def to_cloud_event(envelope: Envelope) -> bytes:
    """The message and its envelope as JSON, of characters that SQS takes."""
    at = datetime.fromtimestamp(envelope.sent_at / 1000, UTC)
    body = _encode(
        CommandEvent(
            specversion="1.0",
            id=envelope.id,
            source=SOURCE,
            type=COMMAND_PREFIX + type(envelope.message).__name__,
            time=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            data=msgspec.Raw(_encode(envelope.message)),
            datacontenttype="application/json",
            queue=envelope.queue,
            subject=envelope.order,
            group=envelope.group,
            traceparent=envelope.trace,
        )
    )
    for refused, escaped in _REFUSED.items():
        body = body.replace(refused, escaped)
    return body


def from_cloud_event(body: bytes | str) -> Envelope:
    """The envelope in this JSON. A message that cannot be decoded is Unreadable in its envelope.

    Raises Malformed for what is no message of ours at all.
    """
    try:
        event = _read_event(body)
        sent_at = round(datetime.fromisoformat(event.time).timestamp() * 1000)
        named = (event.id, event.queue, event.group, event.subject, event.traceparent)
        if any("\0" in name for name in named if name):
            raise ValueError("it contains U+0000, which no database stores")
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise Malformed(f"this is no message of Dealerflow: {error}") from error
    return Envelope(
        id=event.id,
        queue=event.queue,
        message=_message(event.data),
        group=event.group,
        order=event.subject,
        sent_at=sent_at,
        trace=event.traceparent,
    )


def _message(data: msgspec.Raw) -> AnyMessage:
    try:
        message: AnyMessage = _read_message(data)
        return message
    except (msgspec.MsgspecError, RecursionError):
        return cast("AnyMessage", Unreadable(body=bytes(data).decode(errors="replace")))

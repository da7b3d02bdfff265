"""The relay: forwards what was committed to SQS, SNS and EventBridge, right after the commit and on a schedule.

At least once: a crash between a service's answer and the note that a message was forwarded forwards it again.

A message that no service will ever take harms no other: it is dead. Only the relay on the schedule buries it, because only
its role may put a note into every dead-letter queue; right after a commit such a message is left to it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
from botocore.exceptions import ClientError

from dealerflow.adapters.aws.errors import Unreachable, aws_calls, code_of
from dealerflow.adapters.aws.names import TOPICS, Names
from dealerflow.adapters.database.outbox import RELAY_LEASE_MS, Outbox
from dealerflow.application import queues
from dealerflow.application.cloud_events import cloud_event
from dealerflow.application.message_events import to_cloud_event
from dealerflow.application.ports import Clock
from dealerflow.domain.errors import Outage
from dealerflow.domain.messages import EmitEvent, Envelope, PublishToTopic, Unreadable, message_of

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

AT_ONCE = 10  # entries in one call, of SQS, SNS and EventBridge alike
MOST_BYTES = 255 * 1024  # of one call; services take 256 KiB, and count a little beside the bodies
TAKEN_AT_ONCE = 200
SOURCE = "dealerflow"  # of events on the bus
# What services say of a message that is at fault itself. Whatever else they refuse is tried again.
NEVER_TAKEN = frozenset(
    {
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "BatchRequestTooLong",
        "InvalidMessageContents",
        "MalformedDetail",
    }
)
_encode = msgspec.json.Encoder().encode

Entry = tuple[Envelope, str]  # what is sent, and its body


class Refusal(NamedTuple):
    """Why a service did not take a message, in its words."""

    code: str
    said: str


Refusals = Mapping[int, Refusal]
"""By the message's place in the call."""


class Outcome(msgspec.Struct, frozen=True):
    """The ids of what left, and of what never can, with why. Everything else is tried again."""

    left: set[str]
    hopeless: dict[str, str]


class Destinations:
    """Where each message goes: events to the bus, notifications to their topic, everything else to its queue."""

    def __init__(self, *, sqs: SQSClient, sns: SNSClient, bus: EventBridgeClient, names: Names) -> None:
        self._sqs = sqs
        self._sns = sns
        self._bus = bus
        self._names = names

    def send(
        self, envelopes: Sequence[Envelope], away: set[str] | None = None, *, hurried: bool = False
    ) -> Outcome:
        """Send them. What a service is down for, or refuses now, stays.

        A service that gave no answer is not asked again: it is in `away` from then on. `hurried`: nor is any other, because
        somebody waits for us, and all may be out of reach the same way.
        """
        away = set() if away is None else away
        outcome = Outcome(set(), {})
        by_way: dict[tuple[str, str], list[Envelope]] = defaultdict(list)
        for envelope in envelopes:
            if isinstance(envelope.message, Unreadable):
                outcome.hopeless[envelope.id] = "it cannot be read by this version of the program"
            else:
                by_way[self._way(envelope)].append(envelope)
        for (kind, target), some in by_way.items():
            if kind in away or (hurried and away):
                continue
            try:
                self._send(kind, target, some, outcome)
            except Unreachable as outage:
                log.warning("%d messages for %s, and all others for it, wait: %s", len(some), target, outage)
                away.add(kind)
            except Outage as outage:
                log.warning("%d messages for %s wait: %s", len(some), target, outage)
            except Exception:  # what one service refuses must not hold up what goes to the others
                log.exception("%d messages cannot be sent to %s", len(some), target)
        return outcome

    def is_last(self, envelope: Envelope) -> bool:
        """Whether nobody of ours works the message once it was sent: events on the bus, queues of one's own."""
        return envelope.queue == queues.BUS or envelope.queue in self._names.own_queues

    def _way(self, envelope: Envelope) -> tuple[str, str]:
        if envelope.queue == queues.BUS:
            return "bus", self._names.bus
        if envelope.queue == queues.NOTIFICATIONS:
            message = envelope.message
            known = isinstance(message, PublishToTopic) and message.topic in TOPICS
            topic = message.topic if isinstance(message, PublishToTopic) and known else queues.NOTIFICATIONS
            return "topic", self._names.topic_arn(topic)
        return "queue", self._names.queue_url(self._names.physical(envelope.queue))

    def _send(self, kind: str, target: str, envelopes: Sequence[Envelope], outcome: Outcome) -> None:
        call = {"bus": self._to_bus, "topic": self._to_topic, "queue": self._to_queue}[kind]
        body: Callable[[Envelope], bytes] = _event_body if kind == "bus" else to_cloud_event
        entries = [(envelope, body(envelope).decode()) for envelope in envelopes]
        outcome.hopeless.update(
            {envelope.id: _too_long(text) for envelope, text in entries if _too_long(text)}
        )
        for batch in _batches(entry for entry in entries if entry[0].id not in outcome.hopeless):
            self._give(call, target, batch, outcome)

    def _give(self, call: _Call, target: str, batch: Sequence[Entry], outcome: Outcome) -> None:
        try:
            refused = call(target, batch)
        except ClientError as error:  # no outage: one of these messages is at fault
            if len(batch) > 1:
                for entry in batch:
                    self._give(call, target, [entry], outcome)
                return
            refused = {0: Refusal(code_of(error), str(error))}
        for place, (envelope, _) in enumerate(batch):
            if place not in refused:
                outcome.left.add(envelope.id)
                continue
            code, said = refused[place]
            log.error("message %s was not taken by %s: %s %s", envelope.id, target, code, said)
            if code in NEVER_TAKEN:
                outcome.hopeless[envelope.id] = f"{target} refuses it ({code}): {said}"

    def _to_queue(self, url: str, batch: Sequence[Entry]) -> Refusals:
        entries: list[Any] = [
            {"Id": str(place), "MessageBody": body, **_fair(envelope)}
            for place, (envelope, body) in enumerate(batch)
        ]
        with aws_calls("SQS"):
            answer = self._sqs.send_message_batch(QueueUrl=url, Entries=entries)
        return {
            int(one["Id"]): Refusal(one["Code"], one.get("Message", "")) for one in answer.get("Failed", ())
        }

    def _to_topic(self, arn: str, batch: Sequence[Entry]) -> Refusals:
        entries: list[Any] = [
            {"Id": str(place), "Message": body, **_fair(envelope)}
            for place, (envelope, body) in enumerate(batch)
        ]
        with aws_calls("SNS"):
            answer = self._sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)
        return {
            int(one.get("Id", "0")): Refusal(one.get("Code", ""), one.get("Message", ""))
            for one in answer.get("Failed", ())
        }

    def _to_bus(self, bus: str, batch: Sequence[Entry]) -> Refusals:
        entries: list[Any] = [
            {
                "EventBusName": bus,
                "Source": SOURCE,
                "DetailType": message_of(envelope, EmitEvent).event.type,
                "Detail": body,
                "Time": message_of(envelope, EmitEvent).event.at / 1000,
            }
            for envelope, body in batch
        ]
        with aws_calls("EventBridge"):
            answer = self._bus.put_events(Entries=entries)
        return {
            place: Refusal(one["ErrorCode"], one.get("ErrorMessage", ""))
            for place, one in enumerate(answer["Entries"])
            if one.get("ErrorCode")
        }


_Call = Callable[[str, Sequence[Entry]], Refusals]


class DeadLetterNotes(Protocol):
    """Where dead messages are seen. Raises Outage."""

    def note(self, envelope: Envelope, error: str) -> None:
        """Put a note of a message that is dead where its alarm sees it."""


class Relay:
    """Forwards rows of the outbox. `dead`: where those are noted that never can be forwarded; None leaves them to one who may."""

    def __init__(
        self, outbox: Outbox, destinations: Destinations, clock: Clock, dead: DeadLetterNotes | None = None
    ) -> None:
        self._outbox = outbox
        self._destinations = destinations
        self._clock = clock
        self._dead = dead

    def forward(self, envelopes: Sequence[Envelope]) -> int:
        """Forward what was just committed; how many left. Never raises: what stays is left to the schedule."""
        try:
            return self._forward(envelopes, hurried=True)
        except Outage as outage:
            log.warning("forwarded, but it could not be noted, so it is forwarded again: %s", outage)
        except Exception:
            log.exception("could not be forwarded now")
        return 0

    def step(self, is_time_up: Callable[[], bool] = lambda: False, *, hurried: bool = False) -> int:
        """Forward what is due, as far as there is time; how many were. `hurried`: see `Destinations.send`. Raises Outage."""
        forwarded = 0
        away: set[str] = set()
        over_at = self._clock.now() + RELAY_LEASE_MS  # what stays now is due again from then on
        while not is_time_up() and self._clock.now() < over_at:
            due = self._outbox.due(TAKEN_AT_ONCE, now=self._clock.now())
            if not due:
                break
            forwarded += self._forward(due, away, hurried=hurried)
        return forwarded

    def _forward(
        self, envelopes: Sequence[Envelope], away: set[str] | None = None, *, hurried: bool = False
    ) -> int:
        outcome = self._destinations.send(envelopes, away, hurried=hurried)
        left = outcome.left
        last = {e.id for e in envelopes if e.id in left and self._destinations.is_last(e)}
        self._outbox.over(last)
        self._outbox.forwarded(left - last, now=self._clock.now())
        buried = [
            e for e in envelopes if e.id in outcome.hopeless and self._is_buried(e, outcome.hopeless[e.id])
        ]
        return len(left) + len(buried)

    def _is_buried(self, envelope: Envelope, why: str) -> bool:
        if self._dead is None:
            log.warning("message %s is left to the schedule: %s", envelope.id, why)
            return False
        log.error("message %s is dead: %s", envelope.id, why)
        try:
            self._dead.note(
                envelope, why
            )  # first: a note of nothing is cleared away, a death unnoticed is not
        except Outage as outage:
            log.warning("its death cannot be noted, so it is tried again: %s", outage)
            return False
        self._outbox.bury(envelope.id, now=self._clock.now(), error=why)
        return True


def _event_body(envelope: Envelope) -> bytes:
    return _encode(cloud_event(message_of(envelope, EmitEvent).event))


def _too_long(body: str) -> str:
    size = len(body.encode())
    return f"it has {size} bytes, and AWS takes {MOST_BYTES}" if size > MOST_BYTES else ""


def _fair(envelope: Envelope) -> dict[str, str]:
    # On a standard queue the group makes turns fair between dealerships; it orders nothing.
    return {"MessageGroupId": envelope.group} if envelope.group else {}


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        bytes_ = len(entry[1].encode())
        if batch and (len(batch) == AT_ONCE or size + bytes_ > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += bytes_
    if batch:
        yield batch

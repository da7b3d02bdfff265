"""What a function on AWS does with the messages of its queue, and with what a state machine reports."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from dealerflow.adapters.aws import logs
from dealerflow.adapters.aws.arrivals import Arrivals
from dealerflow.adapters.aws.in_flight import SqsInFlight
from dealerflow.adapters.aws.receiver import Delivery, IsTimeUp, Receiver
from dealerflow.application import queues
from dealerflow.application.executions import Arrival
from dealerflow.application.handlers import finder
from dealerflow.composition.aws import PATIENT_SECONDS, AwsSystem, of_environment, random
from dealerflow.composition.lazily import on_demand

log = logging.getLogger(__name__)

LambdaHandler = Callable[[dict[str, Any], Any], Any]
MARGIN_MS = 30_000  # how much longer than a function may run a call stays in its hands
ENOUGH_MS = 20_000  # for what was begun: a webhook, or a service that hangs
# Where the answer is waited for with patience: that, and the note of it.
PATIENT_MS = dict.fromkeys((queues.NOTIFICATIONS, queues.FUNCTIONS), (PATIENT_SECONDS + 4) * 1000)


@cache
def system_of(function: str) -> AwsSystem:
    """The installation, made at the first call, when what is wrong with it can be logged and tried again."""
    system = of_environment()
    logs.configure(system.settings.log_level, function)
    return system


def receiver_of(system: AwsSystem, queue: str, *, lease_ms: int) -> Receiver:
    """Works what one queue delivers. `lease_ms`: longer than the function may run."""
    return Receiver(
        database=system.database,
        outbox=system.outbox,
        handler_for=finder(system.handlers()),
        queue=_in_flight(system, queue),
        clock=system.clock,
        random=random,
        lease_ms=lease_ms,
        looks=lambda one: not system.names.is_switched(one),
    )


def arrivals_of(system: AwsSystem) -> Arrivals:
    """Carries out what state machines report."""
    return Arrivals(
        database=system.database,
        outbox=system.outbox,
        machines=system.machines,
        dead_letters=_in_flight(system, queues.DECISIONS),
        clock=system.clock,
        random=random,
    )


def _in_flight(system: AwsSystem, queue: str) -> SqsInFlight:
    return SqsInFlight(on_demand(lambda: system.clients.sqs), system.names, queue)


def works_queue(queue: str) -> LambdaHandler:
    """The handler of the function that works this queue: answers with those that SQS has to offer again."""

    @cache
    def receiver(may_run_ms: int) -> Receiver:
        return receiver_of(system_of(queue), queue, lease_ms=may_run_ms + MARGIN_MS)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        # Rounded up, so that all calls of a function have the same.
        seconds = -(-int(context.get_remaining_time_in_millis()) // 60_000) * 60
        deliveries = [delivery_of(record) for record in event.get("Records", ())]
        again = receiver(seconds * 1000).work(deliveries, time_of(queue, context))
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in again]}

    return handler


def time_of(queue: str, context: Any) -> IsTimeUp:
    """Tells a function of this queue, by Lambda's context, when to begin nothing more."""
    enough = PATIENT_MS.get(queue, ENOUGH_MS)
    return lambda: context.get_remaining_time_in_millis() < enough


def delivery_of(record: dict[str, Any]) -> Delivery:
    """One record of an event of SQS."""
    return Delivery(
        id=record["messageId"],
        receipt=record["receiptHandle"],
        body=record["body"],
        times=int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)),
    )


def updates_status() -> LambdaHandler:
    """The handler of the one function that every state of the state machine shares."""
    arrivals = cache(lambda: arrivals_of(system_of("update-status")))

    def handler(event: dict[str, Any], _context: Any) -> None:
        arrivals().report(msgspec.convert(event, Arrival))

    return handler

"""Ways to spoil messages, and what an operator does about them."""

from __future__ import annotations

import json

from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.loader import load, standard
from tests.aws.in_small import InSmall
from tests.aws.small import Sent
from tests.stories.driver import Json, People

OWN_FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:estimate"


def with_own_function() -> Pipeline:
    """The standard pipeline, but a Lambda of one's own estimates the arrival."""
    text = standard().text.replace("function: estimate_arrival", f"function: {OWN_FUNCTION}")
    assert OWN_FUNCTION in text
    return load(text)


def dead_letters(dealerflow: People, queue: str) -> list[Json]:
    """What is dead in the queue, as the operator sees it."""
    return dealerflow.operator.lists(f"/queues/{queue}/dead-letters")


def redrives(dealerflow: People, queue: str) -> int:
    """The operator offers all dead letters of the queue again: how many."""
    return int(dealerflow.operator.sends(f"/queues/{queue}/redrive", {"ids": "all"}, expect=200)["redriven"])


def discards(dealerflow: People, queue: str, ids: list[str]) -> int:
    """The operator gives these dead letters up: how many."""
    form = {"ids": ids, "reason": "it was sent by hand"}
    return int(dealerflow.operator.sends(f"/queues/{queue}/discard", form, expect=200)["discarded"])


def in_dead_queue(small: InSmall, queue: str) -> list[Sent]:
    """What lies in the SQS dead-letter queue of this queue."""
    return small.aws.queues[small.system.names.dead_queue_url(queue)]


def in_queue(small: InSmall, queue: str) -> list[Sent]:
    """What lies in this SQS queue."""
    return small.aws.queues[small.system.names.queue_url(queue)]


def spoil(sent: Sent) -> None:
    """Make what the message says unreadable, as another version's may be; its envelope stays."""
    sent.body = json.dumps({**json.loads(sent.body), "data": {"type": "OfAnotherVersion"}})

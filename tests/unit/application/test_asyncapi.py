from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from dealerflow.application import queues
from dealerflow.application.asyncapi import asyncapi, event_types
from dealerflow.domain.messages import AnyMessage
from dealerflow.pipeline.loader import standard

DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(asyncapi(standard())))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_message_is_carried_by_one_queue_and_described() -> None:
    carried = [message for messages in queues.CARRIES.values() for message in messages]
    assert sorted(m.__name__ for m in carried) == sorted(m.__name__ for m in get_args(AnyMessage))
    assert {m.__name__ for m in carried} | set(event_types(standard())) == set(
        DOCUMENT["components"]["messages"]
    )


def test_every_reference_of_the_document_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_the_events_that_the_pipeline_adds_can_be_subscribed_to() -> None:
    assert {"CarReadyForPickup", "CarHandedOver", "OrderPlaced"} <= set(
        DOCUMENT["channels"]["happenings"]["messages"]
    )

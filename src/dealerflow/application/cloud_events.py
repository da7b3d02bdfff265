"""Events as they leave the program: CloudEvents 1.0 in JSON (https://github.com/cloudevents/spec)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from dealerflow.domain.events import Event

SOURCE = "/dealerflow"
TYPE_PREFIX = "dealerflow."
CONTENT_TYPE = "application/cloudevents+json"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `subject` is the order's id; `time` RFC 3339, UTC, with milliseconds."""

    id: str
    source: str
    type: str
    time: str
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    subject: str | None = None
    data: dict[str, Any] = {}


def cloud_event(event: Event) -> CloudEvent:
    """The event in its envelope; `data` is what the event is about, without what the envelope says already."""
    data = {
        "dealership": event.dealership,
        "order": event.order,
        "state": event.state,
        "outcome": event.outcome,
        "by": event.by,
        "details": event.details,
        "position": event.position,
    }
    at = datetime.fromtimestamp(event.at / 1000, UTC)
    return CloudEvent(
        id=event.id,
        source=SOURCE,
        type=TYPE_PREFIX + event.type,
        time=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        subject=event.order,
        data={name: value for name, value in data.items() if value is not None},
    )

"""The AsyncAPI document: the queues with the messages that they carry, and the events as subscribers get them.

Source: AsyncAPI 3.0.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0).
"""

from __future__ import annotations

from typing import Any

import msgspec

from dealerflow.application import queues
from dealerflow.application.cloud_events import CONTENT_TYPE, TYPE_PREFIX, CloudEvent
from dealerflow.domain import events
from dealerflow.domain.messages import Message
from dealerflow.pipeline.definition import Pipeline

_SCHEMA = "#/components/schemas/{name}"
_EVENT_CHANNEL = "happenings"


def event_types(pipeline: Pipeline) -> list[str]:
    """Every type of event that can be subscribed to: the core's, and those that the pipeline adds."""
    core = [value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)]
    own = {
        action.target
        for state in pipeline.states.values()
        for action in state.actions
        if action.kind == "event"
    }
    return core + sorted(own - set(core))


def asyncapi(pipeline: Pipeline) -> dict[str, Any]:
    """The document, as plain values. `pipeline` is the one that new orders follow."""
    carried = [message for messages in queues.CARRIES.values() for message in messages]
    _, schemas = msgspec.json.schema_components([*carried, CloudEvent], ref_template=_SCHEMA)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Dealerflow",
            "version": "1",
            "description": "Commands travel on queues, to one service each. Events go to whoever subscribed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            **{_name(queue): _queue(queue) for queue in queues.CARRIES},
            _EVENT_CHANNEL: _events(pipeline),
        },
        "operations": {
            **{f"work-{_name(queue)}": _operation("receive", _name(queue)) for queue in queues.CARRIES},
            "publish-events": _operation("send", _EVENT_CHANNEL),
        },
        "components": {
            "messages": {
                **{message.__name__: _command(message) for message in carried},
                **{type_: _event(type_) for type_ in event_types(pipeline)},
            },
            "schemas": schemas,
        },
    }


def _name(queue: str) -> str:
    """A channel's key: AsyncAPI allows no braces there."""
    return queue.replace("{delivery_line}", "line")


def _queue(queue: str) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": queue,
        "messages": {
            message.__name__: _reference("messages", message.__name__) for message in queues.CARRIES[queue]
        },
    }
    if "{delivery_line}" in queue:
        channel["parameters"] = {
            "delivery_line": {"description": "A delivery line, as dealerships name theirs."}
        }
    return channel


def _events(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "address": None,  # each subscriber's own URL
        "description": "What happened, as CloudEvents, posted to every webhook that subscribed to the type.",
        "messages": {type_: _reference("messages", type_) for type_ in event_types(pipeline)},
    }


def _operation(action: str, channel: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _command(message: type[Message]) -> dict[str, Any]:
    summary = " ".join((message.__doc__ or "").split())
    return {"name": message.__name__, "summary": summary, "payload": _reference("schemas", message.__name__)}


def _event(type_: str) -> dict[str, Any]:
    is_this = {"type": "object", "properties": {"type": {"const": TYPE_PREFIX + type_}}}
    payload = {"allOf": [_reference("schemas", "CloudEvent"), is_this]}
    return {"name": type_, "contentType": CONTENT_TYPE, "payload": payload}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}

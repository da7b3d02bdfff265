"""What happened: pages of events by position, and a stream of them."""

from __future__ import annotations

from typing import Annotated, cast

import msgspec
from litestar import Response
from litestar.concurrency import sync_to_thread
from litestar.response import Stream
from msgspec import Meta

from dealerflow.application.access import require
from dealerflow.application.queries import EventFilter
from dealerflow.application.views import EventView
from dealerflow.domain.errors import Malformed
from dealerflow.domain.people import Caller
from dealerflow.web.auth import caller_of
from dealerflow.web.body import respond
from dealerflow.web.live import Live, glance
from dealerflow.web.paging import LARGEST, MOST, text, whole_number
from dealerflow.web.routes import Media, Query, get
from dealerflow.web.system import HttpRequest, system_of

STREAM_TYPE = "text/event-stream"
FILTERS = (
    Query(name="type", text="an event's type, or several with commas between them"),
    Query(name="order", text="an order's id"),
)
Position = int | Annotated[str, Meta(pattern="^evt_[0-9a-z]+$", max_length=40)]
AFTER = Query(
    name="after", text="only events behind this position, or behind the event with this id", type=Position
)


class EventList(msgspec.Struct, frozen=True, kw_only=True):
    """Events by position. `next`, as `after`, gives the next part; None: that was all for now.

    `last` is the position up to which everything was looked at: whoever waits for more asks with it as `after`.
    """

    items: tuple[EventView, ...]
    next: str | None
    last: int


@get(
    "/events",
    answers={200: EventList},
    query=(
        AFTER,
        *FILTERS,
        Query(name="limit", text="at most so many, 1 to 200", type=int),
        Query(name="cursor", text="the same as `after`", type=Position),
    ),
)
def events(request: HttpRequest) -> Response[bytes]:
    """What happened, oldest first. A dealership sees what concerns it.

    Nothing ever appears before a position that was given.
    """
    caller = caller_of(request)
    require(caller)
    start = _position(request, caller, "cursor", default=_position(request, caller, "after"))
    limit = whole_number(request, "limit", default=50, least=1, most=MOST)
    page = system_of(request).queries.events.after(start, event_filter(request, caller), limit)
    following = str(page.last) if page.more else None
    return respond(EventList(items=page.items, next=following, last=page.last))


@get("/events/stream", answers={200: Media(types={STREAM_TYPE: None})}, query=(AFTER, *FILTERS))
async def event_stream(request: HttpRequest) -> Stream:
    """Server-sent events from now on, or from behind `after` or `Last-Event-ID`. The data of each is that of GET /events.

    A stream ends after some ten minutes, so that a closed account hears no more. Where nothing can be held open (on AWS) the
    answer ends with what is new. An EventSource comes back for more by itself.
    """
    caller = await sync_to_thread(caller_of, request)
    require(caller)
    start = await sync_to_thread(_start, request, caller)
    system, wanted = system_of(request), event_filter(request, caller)
    if system.streams:
        stream = await live_of(request).stream(wanted, start)
    else:
        stream = glance(system.queries.events, wanted, start)
    return Stream(stream, media_type=STREAM_TYPE, headers={"X-Accel-Buffering": "no"})


def _position(request: HttpRequest, caller: Caller, name: str, default: int = 0) -> int:
    """The position that a parameter gives, or that of the event whose id it gives."""
    given = request.query_params.get(name, "")
    if not given.startswith("evt_"):
        return whole_number(request, name, default=default)
    position = system_of(request).queries.events.position_of(given, _scope(caller))
    if position is None:
        raise Malformed(f"{name}: there is no event {given[:40]}")
    return position


def _start(request: HttpRequest, caller: Caller) -> int | None:
    heard = request.headers.get("Last-Event-ID")
    if heard is not None:
        if not (heard.isascii() and heard.isdigit() and len(heard) < 20 and int(heard) <= LARGEST):
            raise Malformed("Last-Event-ID must be the id of an event of this stream")
        return int(heard)
    if "after" in request.query_params:
        return _position(request, caller, "after")
    return None


def event_filter(request: HttpRequest, caller: Caller) -> EventFilter:
    """What the query asks for, of what the caller may see."""
    types = text(request, "type") or ""
    return EventFilter(
        types=tuple(dict.fromkeys(name for name in types.split(",") if name)),
        order=text(request, "order"),
        dealerships=_scope(caller),
    )


def _scope(caller: Caller) -> frozenset[str] | None:
    """The dealerships whose events the caller sees; None: all."""
    return None if caller.sees_every_order else caller.dealerships


def live_of(request: HttpRequest) -> Live:
    """The application's one watcher of events."""
    state = request.app.state
    if "live" not in state:
        system = system_of(request)
        state["live"] = Live(system.queries.events, system.stopping)
    return cast("Live", state["live"])


ROUTES = (events, event_stream)

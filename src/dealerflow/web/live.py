"""What happens, as it happens: one look at the database for all who watch, however many they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from threading import Event as Flag

import msgspec
from litestar.concurrency import sync_to_thread

from dealerflow.application.queries import EventFilter, EventQueries, EventsPage
from dealerflow.application.views import EventView
from dealerflow.domain.errors import Outage, Unavailable

MOST_STREAMS = 100
LOOK_EVERY_S = 0.5
HEARTBEAT_S = 15.0  # less than the patience of common proxies
LONGEST_S = 600.0  # then who listens comes back, and is looked at anew: the account may be closed by now
WAITING_EVENTS = 1_000  # a reader that is further behind is cut off, and reads on from where it was
AT_ONCE = 200
COME_BACK_MS = 3_000  # where nothing can be held open
MOST_AT_A_GLANCE = 1_000  # events; an answer of a function on AWS has at most 6 MB
READ_ON_MS = 100  # and then the rest

_encode = msgspec.json.Encoder().encode
_HEARTBEAT = b": still here\n\n"


class Live:
    """Streams of events. Belongs to one event loop; looks at the database only while somebody watches."""

    def __init__(
        self,
        events: EventQueries,
        stopping: Flag,
        *,
        look_every_s: float = LOOK_EVERY_S,
        most_streams: int = MOST_STREAMS,
        longest_s: float = LONGEST_S,
    ) -> None:
        """When `stopping` is set, every stream ends; and each, at its next event or heartbeat, after `longest_s`."""
        self._events = events
        self._stopping = stopping
        self._look_every_s = look_every_s
        self._most_streams = most_streams
        self._longest_s = longest_s
        self._watching: set[asyncio.Queue[EventView | None]] = set()
        self._position = 0
        self._looking: asyncio.Task[None] | None = None

    async def stream(self, wanted: EventFilter, after: int | None) -> AsyncGenerator[bytes, None]:
        """Server-sent events behind position `after` (None: from now on). Raises Unavailable when too many watch, and Outage."""
        if len(self._watching) >= self._most_streams:
            raise Unavailable(f"{self._most_streams} streams are open already; ask GET /events instead", 30)
        heard: asyncio.Queue[EventView | None] = asyncio.Queue(WAITING_EVENTS)
        self._watching.add(heard)
        try:
            await self._begin()
        except BaseException:  # whatever it is, nobody will listen
            self._watching.discard(heard)
            raise
        position = self._position if after is None else after
        return self._told(wanted, position, heard)

    async def _told(
        self, wanted: EventFilter, position: int, heard: asyncio.Queue[EventView | None]
    ) -> AsyncGenerator[bytes, None]:
        clock = asyncio.get_running_loop().time
        until = clock() + self._longest_s
        try:
            yield _HEARTBEAT  # so that the client knows at once that it is listening
            more = True
            while more:  # what happened before it began to listen
                page = await self._read(position, wanted, AT_ONCE)
                for event in page.items:
                    yield server_sent(event)
                position, more = page.last, page.more and not self._stopping.is_set()
            async for news in _each(heard):
                if news is None:
                    yield _HEARTBEAT
                elif news.position > position and wanted.covers(news):
                    yield server_sent(news)
                if clock() >= until:
                    return
        finally:
            self._watching.discard(heard)

    async def _begin(self) -> None:
        if self._looking is None or self._looking.done():
            self._position = await sync_to_thread(self._events.last_position)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look_again_and_again())

    async def _look_again_and_again(self) -> None:
        try:
            while self._watching and not self._stopping.is_set():
                await asyncio.sleep(self._look_every_s)
                with contextlib.suppress(Outage):  # nothing can have happened, as far as one can tell
                    await self._look()
        finally:
            self._end_all()

    async def _look(self) -> None:
        more = True
        while more:
            page = await self._read(self._position, EventFilter(), AT_ONCE)
            for event in page.items:
                for heard in list(self._watching):
                    self._tell(heard, event)
            self._position, more = page.last, page.more

    def _tell(self, heard: asyncio.Queue[EventView | None], event: EventView) -> None:
        try:
            heard.put_nowait(event)
        except asyncio.QueueFull:
            self._end(heard)

    def _end_all(self) -> None:
        for heard in list(self._watching):
            self._end(heard)

    def _end(self, heard: asyncio.Queue[EventView | None]) -> None:
        self._watching.discard(heard)
        if (
            heard.full()
        ):  # what it has not been told is forgotten as a whole: it comes back for what follows its last
            while not heard.empty():
                heard.get_nowait()
        heard.put_nowait(None)

    async def _read(self, position: int, wanted: EventFilter, limit: int) -> EventsPage:
        read: Callable[..., EventsPage] = self._events.after
        return await sync_to_thread(read, position, wanted, limit)


async def glance(events: EventQueries, wanted: EventFilter, after: int | None) -> AsyncGenerator[bytes, None]:
    """As `Live.stream`, for where an answer has to end: what is new by now, and when to come back for more.

    The position is told last, also where nothing was new, so that an EventSource comes back with it as `Last-Event-ID`.
    """
    position = await sync_to_thread(events.last_position) if after is None else after
    yield b"retry: %d\n\n" % COME_BACK_MS
    more = after is not None
    for _ in range(MOST_AT_A_GLANCE // AT_ONCE):
        if not more:
            break
        page = await sync_to_thread(events.after, position, wanted, AT_ONCE)
        for event in page.items:
            yield server_sent(event)
        position, more = page.last, page.more
    if more:
        yield b"retry: %d\n\n" % READ_ON_MS
    yield b"id: %d\n\n" % position


async def _each(heard: asyncio.Queue[EventView | None]) -> AsyncIterator[EventView | None]:
    """What is heard, until None is heard; None by itself whenever it was quiet for a while."""
    while True:
        try:
            event = await asyncio.wait_for(heard.get(), HEARTBEAT_S)
        except TimeoutError:
            yield None
            continue
        if event is None:
            return
        yield event


def server_sent(event: EventView) -> bytes:
    """The event as text/event-stream has it; its position is the id with which a client reads on."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.position, event.type.encode(), _encode(event))

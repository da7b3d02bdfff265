from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec
import pytest

from dealerflow.application.queries import EventFilter, EventQueries, EventsPage
from dealerflow.application.views import EventView
from dealerflow.domain.errors import Outage, Unavailable
from dealerflow.web.live import MOST_AT_A_GLANCE, WAITING_EVENTS, Live, glance
from tests.web.api.life import API, brought, decided, placed
from tests.web.harness import Client


def events(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"{API}/events?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_events_come_in_the_order_of_their_positions(everywhere: Client) -> None:
    order = placed(everywhere)
    brought(everywhere, order, "production_started")
    admin = everywhere.as_("admin")
    every = events(admin, "limit=200")
    assert [item["position"] for item in every["items"]] == list(range(1, len(every["items"]) + 1))
    assert every["items"][0] == {
        "id": every["items"][0]["id"],
        "position": 1,
        "type": "OrderPlaced",
        "at": "2026-09-21T14:13:20.000Z",
        "order": order["id"],
        "dealership": "northside",
        "state": "order_placed",
        "outcome": None,
        "by": "customer",
        "details": {},
    }
    assert (every["next"], every["last"]) == (None, len(every["items"]))
    found, after = [], 0
    while True:
        page = events(admin, f"limit=2&after={after}")
        found += page["items"]
        if page["next"] is None:
            break
        after = int(page["next"])
    assert found == every["items"]
    assert events(admin, f"after={every['last']}") == {"items": [], "next": None, "last": every["last"]}
    assert events(admin, "after=9999")["last"] == 9999


def test_events_have_no_position_before_they_are_published(anyone: Client) -> None:
    order = placed(anyone)
    step = anyone.as_("admin").get(f"{API}/orders/{order['id']}").json()["step"]
    before = events(anyone.as_("admin"))["last"]
    form = {"outcome": "accept", "step": step}
    anyone.as_("dealer@northside").post(f"{API}/orders/{order['id']}/decisions", form)
    anyone.system.drain("decisions")
    assert events(anyone.as_("admin"))["last"] == before
    anyone.system.process()
    assert events(anyone.as_("admin"), f"after={before}")["items"][0]["type"] == "OrderMoved"


def test_events_are_narrowed_by_type_and_order(anyone: Client) -> None:
    first, second = placed(anyone), placed(anyone)
    decided(anyone.as_("dealer@northside"), first["id"], "accept")
    admin = anyone.as_("admin")
    assert [item["order"] for item in events(admin, "type=OrderPlaced")["items"]] == [
        first["id"],
        second["id"],
    ]
    assert [item["type"] for item in events(admin, f"order={first['id']}")["items"]] == [
        "OrderPlaced",
        "OrderMoved",
    ]
    both = events(admin, f"type=OrderPlaced,OrderMoved&order={second['id']}")["items"]
    assert [item["type"] for item in both] == ["OrderPlaced"]
    assert events(admin, "type=Nothing") == {"items": [], "next": None, "last": 3}


def test_a_dealership_hears_only_what_concerns_it(anyone: Client) -> None:
    placed(anyone)
    other = placed(anyone, dealership="harbour")
    assert [item["order"] for item in events(anyone.as_("dealer@harbour"))["items"]] == [other["id"]]
    assert anyone.get(f"{API}/events").status_code == 401
    assert anyone.get(f"{API}/events/stream").status_code == 401


def test_events_behind_an_event_are_found_by_its_id(everywhere: Client) -> None:
    order = placed(everywhere)
    brought(everywhere, order, "production_started")
    admin = everywhere.as_("admin")
    every = events(admin, "limit=200")["items"]
    assert events(admin, f"limit=200&after={every[2]['id']}")["items"] == every[3:]
    assert events(admin, f"limit=200&cursor={every[2]['id']}")["items"] == every[3:]
    assert events(admin, f"after={every[-1]['id']}")["items"] == []


def test_the_id_of_an_event_that_the_caller_does_not_see_is_400(anyone: Client) -> None:
    placed(anyone)
    (seen,) = events(anyone.as_("dealer@northside"))["items"]
    stranger = anyone.as_("dealer@harbour")
    for path in ("events", "events/stream"):
        assert stranger.get(f"{API}/{path}?after={seen['id']}").status_code == 400
        assert stranger.get(f"{API}/{path}?after=evt_unknown").status_code == 400


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=", f"after={2**64}", "limit=0", "cursor=x"])
def test_a_position_that_cannot_be_understood_is_400(anyone: Client, query: str) -> None:
    assert anyone.as_("admin").get(f"{API}/events?{query}").status_code == 400


@pytest.mark.parametrize("heard", ["x", "-1", "0" * 20 + "9" * 30, "9" * 5_000])
def test_a_stream_position_that_cannot_be_understood_is_400(anyone: Client, heard: str) -> None:
    admin = anyone.as_("admin")
    assert admin.get(f"{API}/events/stream", last_event_id=heard).status_code == 400
    assert admin.get(f"{API}/events/stream?after=x").status_code == 400


def read(part: bytes) -> tuple[int, str, dict[str, Any]]:
    """(id, event, data) of one server-sent event."""
    lines = dict(line.split(b": ", 1) for line in part.strip().split(b"\n"))
    return int(lines[b"id"]), lines[b"event"].decode(), msgspec.json.decode(lines[b"data"])


def test_a_stream_tells_what_was_missed_and_then_what_happens(anyone: Client) -> None:
    placed(anyone)
    placed(anyone, dealership="harbour")
    queries, stopping = anyone.system.web.queries.events, threading.Event()

    async def story() -> list[tuple[int, str, dict[str, Any]]]:
        watcher = Live(queries, stopping, look_every_s=0.001)
        stream = await watcher.stream(EventFilter(dealerships=frozenset({"harbour"})), after=0)
        heard = []
        async for part in stream:
            if part.startswith(b":"):
                continue
            heard.append(read(part))
            if len(heard) == 1:
                await asyncio.to_thread(placed, anyone)  # northside's: not heard
                await asyncio.to_thread(lambda: placed(anyone, dealership="harbour"))
            if len(heard) == 2:
                stopping.set()  # the process is asked to stop: the stream ends
        return heard

    heard = asyncio.run(story())
    assert [(position, type_) for position, type_, _ in heard] == [(2, "OrderPlaced"), (4, "OrderPlaced")]
    assert heard == [
        (item["position"], item["type"], item) for item in events(anyone.as_("dealer@harbour"))["items"]
    ]


def test_streams_are_bounded_and_end_when_the_reader_leaves(anyone: Client) -> None:

    async def story() -> None:
        events_read = anyone.system.web.queries.events
        watcher = Live(events_read, threading.Event(), look_every_s=0.001, most_streams=1)
        first = await watcher.stream(EventFilter(), after=None)
        assert (await anext(first)).startswith(b":")
        with pytest.raises(Unavailable):
            await watcher.stream(EventFilter(), after=None)
        await first.aclose()
        second = await watcher.stream(EventFilter(), after=None)
        assert (await anext(second)).startswith(b":")
        await second.aclose()

    asyncio.run(story())


def test_the_stream_is_served_as_server_sent_events(anyone: Client) -> None:
    placed(anyone)
    anyone.system.web.stopping.set()  # what happened is told, then the stream ends
    answer = anyone.as_("admin").get(f"{API}/events/stream", last_event_id="0")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    told = [part for part in answer.text.split("\n\n") if part.startswith("id: ")]
    assert [read(part.encode())[:2] for part in told] == [(1, "OrderPlaced")]


class Told(EventQueries):
    """So many events have happened; `away`: what is raised instead of the last position."""

    def __init__(self, count: int = 0, away: Exception | None = None) -> None:
        self.count = count
        self.is_read = threading.Event()  # to its end
        self._away = away

    def last_position(self) -> int:
        if self._away is not None:
            raise self._away
        return self.count

    def position_of(self, event: str, dealerships: frozenset[str] | None) -> int | None:
        raise NotImplementedError

    def after(self, position: int, wanted: EventFilter, limit: int) -> EventsPage:
        last = min(position + limit, self.count)
        if last == self.count:
            self.is_read.set()
        items = tuple(moved(number) for number in range(position + 1, last + 1))
        return EventsPage(items=items, last=last, more=last < self.count)


def moved(position: int) -> EventView:
    return EventView(
        id=f"evt_{position}",
        position=position,
        type="OrderMoved",
        at="2026-09-21T14:13:20.000Z",
        order=None,
        dealership=None,
        state=None,
        outcome=None,
        by=None,
        details={},
    )


def test_a_reader_who_is_cut_off_has_missed_nothing_before_its_last_event() -> None:
    """With `Last-Event-ID` it comes back for what follows: what it was told may have no gap."""

    async def story() -> list[int]:
        told = Told()
        watcher = Live(told, threading.Event(), look_every_s=0.001)
        slow = await watcher.stream(EventFilter(), after=None)
        assert (await anext(slow)).startswith(b":")
        heard = []
        for told.count in (1, 2):  # the second one, at the latest, is heard as it happens
            heard.append(await anext(slow))
        told.is_read.clear()
        told.count = 3 * WAITING_EVENTS  # while it does not read
        await asyncio.to_thread(told.is_read.wait)
        heard += [part async for part in slow]
        return [read(part)[0] for part in heard if not part.startswith(b":")]

    heard = asyncio.run(story())
    assert heard == list(range(1, len(heard) + 1))


def test_a_stream_ends_after_a_while_so_that_a_closed_account_hears_no_more() -> None:
    async def story() -> list[int]:
        told = Told(1)
        watcher = Live(told, threading.Event(), look_every_s=0.001, longest_s=0)
        stream = await watcher.stream(EventFilter(), after=0)
        parts = [await anext(stream), await anext(stream)]
        told.count = 100
        parts += [part async for part in stream]
        return [read(part)[0] for part in parts if not part.startswith(b":")]

    assert asyncio.run(story()) == [1, 2]


@pytest.mark.parametrize("trouble", [Outage("away"), Unavailable("all connections are in use")])
def test_a_stream_that_could_not_begin_takes_no_place(trouble: Exception) -> None:
    async def story() -> None:
        watcher = Live(Told(away=trouble), threading.Event(), most_streams=1)
        for _ in range(2):
            with pytest.raises(type(trouble)) as raised:
                await watcher.stream(EventFilter(), after=None)
            assert raised.value is trouble

    asyncio.run(story())


def test_a_glance_at_a_long_history_is_bounded_and_is_read_on() -> None:
    """A function's answer has at most 6 MB: who comes back with the last id gets the rest."""
    told = Told(MOST_AT_A_GLANCE + 1)

    async def looked(after: int) -> list[int]:
        parts = b"".join([part async for part in glance(told, EventFilter(), after)])
        return [int(line.removeprefix(b"id: ")) for line in parts.split(b"\n") if line.startswith(b"id: ")]

    first = asyncio.run(looked(0))
    assert first == [*range(1, MOST_AT_A_GLANCE + 1), MOST_AT_A_GLANCE]
    assert asyncio.run(looked(first[-1])) == [MOST_AT_A_GLANCE + 1, MOST_AT_A_GLANCE + 1]

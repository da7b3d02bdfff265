from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dealerflow.adapters.database.message_store import SqlMessageStore
from dealerflow.application import queues
from dealerflow.application.ports import QueueFigures
from dealerflow.domain.messages import PublishEvent
from dealerflow.web.api.queues import queue_figures
from tests.web.harness import Client

STAFF = (
    "dealer@northside",
    "production",
    "line-a",
    "quality",
    "delivery",
    "head1",
    "admin",
)


def figures(operator: Client, name: str) -> dict[str, Any]:
    items = operator.get("/api/v1/queues").json()["items"]
    found: dict[str, Any] = next(item for item in items if item["name"] == name)
    return found


def bury(client: Client, count: int, queue: str = queues.EVENTS) -> list[str]:
    """Put so many messages among the dead letters; their ids."""
    system = client.system
    with system.database.begin() as work:
        for number in range(count):
            work.send(queue, PublishEvent(event=f"evt_{number}"), order="ord_1")
    claimed = system.store.claim(queue, count, owner="test", now=system.clock.now())
    system.store.bury(claimed, now=system.clock.now(), error="it does not work")
    return [one.envelope.id for one in claimed]


def test_orders_in_the_spool_count_as_waiting(anyone: Client) -> None:
    operator = anyone.as_("operator")
    anyone.place()
    anyone.place()
    anyone.system.clock.pass_ms(2_500)
    orders = figures(operator, "orders")
    assert orders["waiting"] == 2
    assert orders["oldest_age_s"] == 2.5
    anyone.system.process()
    assert figures(operator, "orders")["waiting"] == 0


class OvertakenStore(SqlMessageStore):
    """Counts, and before anybody reads the count the orders are drained from the spool."""

    drain: Callable[[], object]

    def figures(self, *, now: int) -> list[QueueFigures]:
        counted = super().figures(now=now)
        self.drain()
        return counted


def test_an_order_that_is_drained_while_queues_are_counted_is_not_left_out(anyone: Client) -> None:
    anyone.place()
    store = OvertakenStore(anyone.system.engine)
    store.drain = anyone.system.drainer.step
    counted = {one.name: one for one in queue_figures(replace(anyone.system.web, store=store))}
    assert counted["orders"].waiting == 1


def test_a_paused_queue_goes_on_filling(anyone: Client) -> None:
    operator = anyone.as_("operator")
    answer = operator.post("/api/v1/queues/orders/pause")
    assert answer.status_code == 200
    assert answer.json()["paused"] is True
    taken = anyone.place()
    anyone.system.process()
    assert figures(operator, "orders")["waiting"] == 1
    assert operator.post("/api/v1/queues/orders/resume").json()["paused"] is False
    anyone.system.process()
    assert figures(operator, "orders")["waiting"] == 0
    assert taken["id"]


def test_steering_wakes_the_workers(anyone: Client) -> None:
    anyone.as_("operator").post("/api/v1/queues/orders/resume")
    assert anyone.system.rung == 1


def test_dead_letters_come_in_pages(anyone: Client) -> None:
    ids = sorted(bury(anyone, 5))
    operator = anyone.as_("operator")
    first = operator.get("/api/v1/queues/events/dead-letters?limit=3").json()
    second = operator.get(f"/api/v1/queues/events/dead-letters?limit=3&cursor={first['next']}").json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next"] is None
    letter = first["items"][0]
    assert letter["error"] == "it does not work"
    assert letter["type"] == "PublishEvent"
    assert letter["order"] == "ord_1"
    assert letter["attempts"] == 1
    assert letter["died_at"].endswith("Z")


def test_dead_letters_are_offered_again_some_or_all(anyone: Client) -> None:
    ids = bury(anyone, 4)
    operator = anyone.as_("operator")
    some = operator.post("/api/v1/queues/events/redrive", {"ids": [ids[0], "msg_unknown"]})
    assert some.json() == {"redriven": 1}
    assert operator.post("/api/v1/queues/events/redrive", {"ids": "all"}).json() == {"redriven": 3}
    assert figures(operator, "events")["dead"] == 0
    assert figures(operator, "events")["waiting"] == 4


def test_dead_letters_are_discarded_with_a_reason(anyone: Client) -> None:
    ids = bury(anyone, 2)
    operator = anyone.as_("operator")
    assert operator.post("/api/v1/queues/events/discard", {"ids": ids[:1]}).status_code == 422
    done = operator.post("/api/v1/queues/events/discard", {"ids": ids[:1], "reason": "a trial"})
    assert done.json() == {"discarded": 1}
    assert figures(operator, "events")["dead"] == 1


def test_a_repeated_call_is_answered_the_same_and_does_nothing(anyone: Client) -> None:
    operator = anyone.as_("operator")
    bury(anyone, 1)
    first = operator.post("/api/v1/queues/events/redrive", {"ids": "all"}, Idempotency_Key="k")
    bury(anyone, 1)
    again = operator.post("/api/v1/queues/events/redrive", {"ids": "all"}, Idempotency_Key="k")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert figures(operator, "events")["dead"] == 1
    other = operator.post("/api/v1/queues/events/redrive", {"ids": ["x"]}, Idempotency_Key="k")
    assert other.status_code == 422


@pytest.mark.parametrize("way", ["pause", "resume", "redrive", "discard", "dead-letters"])
def test_an_unknown_queue_is_404(anyone: Client, way: str) -> None:
    operator = anyone.as_("operator")
    path = f"/api/v1/queues/nothing/{way}"
    body = {"ids": ["x"], "reason": "y"} if way == "discard" else {"ids": "all"} if way == "redrive" else None
    answer = operator.get(path) if way == "dead-letters" else operator.post(path, body)
    assert answer.status_code == 404
    assert "orders" in answer.json()["detail"]


@pytest.mark.parametrize("who", STAFF)
def test_queues_and_mail_are_for_operators(anyone: Client, who: str) -> None:
    client = anyone.as_(who)
    for path in ("/api/v1/queues", "/api/v1/mail", "/api/v1/queues/orders/dead-letters"):
        assert client.get(path).status_code == 403
        assert anyone.get(path).status_code == 401
    for way in ("pause", "resume", "redrive", "discard"):
        assert client.post(f"/api/v1/queues/orders/{way}").status_code == 403
        assert anyone.post(f"/api/v1/queues/orders/{way}").status_code == 401


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=-1", "limit=1e3", "cursor=garbage", "cursor=WzFd", "cursor="],
)
def test_paging_that_cannot_be_understood_is_400(anyone: Client, query: str) -> None:
    operator = anyone.as_("operator")
    assert operator.get(f"/api/v1/mail?{query}").status_code == 400
    assert operator.get(f"/api/v1/queues/orders/dead-letters?{query}").status_code == 400
    assert operator.get(f"/api/v1/queues?{query}").status_code == 400


def test_queues_come_in_pages_where_that_is_asked_for(anyone: Client) -> None:
    bury(anyone, 1)
    bury(anyone, 1, queues.NOTIFICATIONS)
    operator = anyone.as_("operator")
    every = operator.get("/api/v1/queues").json()
    assert every["next"] is None
    first = operator.get("/api/v1/queues?limit=2").json()
    second = operator.get(f"/api/v1/queues?limit=200&cursor={first['next']}").json()
    assert [len(first["items"]), len(second["items"])] == [2, 1]
    assert first["items"] + second["items"] == every["items"]
    assert second["next"] is None


def test_the_mail_log_shows_each_mail_with_its_address(anyone: Client) -> None:
    taken, other = anyone.place(), anyone.place(dealership="harbour")
    anyone.system.process()
    operator = anyone.as_("operator")
    items = operator.get(f"/api/v1/mail?order={taken['id']}").json()["items"]
    assert operator.get(f"/api/v1/mail?order={taken['id'][-6:].upper()}").json()["items"] == items
    assert {(item["template"], item["to"], item["status"]) for item in items} == {
        ("order_placed", "ana@example.com", "sent"),
        ("new_order", "dealer@northside.example", "sent"),
    }
    assert {item["order"] for item in items} == {taken["id"]}
    assert all(item["subject"] for item in items)
    first = operator.get("/api/v1/mail?limit=3").json()
    second = operator.get(f"/api/v1/mail?limit=3&cursor={first['next']}").json()
    assert len({item["id"] for item in first["items"] + second["items"]}) == 4
    assert {item["order"] for item in first["items"] + second["items"]} == {taken["id"], other["id"]}
    assert operator.get("/api/v1/mail?order=ord_unknown").json() == {"items": [], "next": None}

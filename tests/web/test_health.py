from __future__ import annotations

import re
from dataclasses import replace

from litestar.testing import TestClient

from dealerflow.web.app import make_app
from tests.web.harness import ORDER, Client
from tests.web.outages import without_database


def test_it_lives(anyone: Client) -> None:
    assert anyone.get("/healthz").json() == {"status": "alive"}


def test_it_is_ready_when_orders_can_be_taken(anyone: Client) -> None:
    answer = anyone.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "down": {}}


def test_without_the_database_it_is_ready_and_says_that_it_is_away(anyone: Client) -> None:
    with without_database(anyone):
        anyone.system.web.upkeep.step()
        answer = anyone.get("/readyz")
        assert answer.status_code == 200
        assert set(answer.json()["down"]) == {"database"}
    anyone.system.web.upkeep.step()
    assert anyone.get("/readyz").json()["down"] == {}


def test_without_a_catalogue_it_is_not_ready(anyone: Client) -> None:
    anyone.system.web.intake.snapshot = None
    answer = anyone.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert set(answer.json()["down"]) == {"catalogue"}


def test_while_the_database_is_prepared_it_is_not_ready(anyone: Client) -> None:
    app = make_app(replace(anyone.system.web, prepared=lambda: False))
    with TestClient(app) as http:
        answer = http.get("/readyz")
    assert answer.status_code == 503
    assert "preparation" in answer.json()["down"]


def test_metrics_count_requests_by_route_and_orders(anyone: Client) -> None:
    anyone.place()
    anyone.get("/api/v1/me")
    anyone.get("/no/such/page/4711")
    text = anyone.get("/metrics").text
    assert "dealerflow_orders_taken_total 1.0" in text
    assert 'dealerflow_requests_total{method="GET",route="/api/v1/me",status="401"} 1.0' in text
    assert 'dealerflow_requests_total{method="POST",route="/api/v1/orders",status="202"} 1.0' in text
    assert "4711" not in text
    assert re.search(r'dealerflow_queue_waiting\{queue="orders"\} 1\.0', text)


def test_a_replayed_order_is_counted_once(anyone: Client) -> None:
    for _ in range(3):
        anyone.post("/api/v1/orders", ORDER, Idempotency_Key="k")
    assert "dealerflow_orders_taken_total 1.0" in anyone.get("/metrics").text


def test_metrics_are_there_without_the_database(anyone: Client) -> None:
    with without_database(anyone):
        answer = anyone.get("/metrics")
    assert answer.status_code == 200
    assert "dealerflow_queue_waiting{" not in answer.text

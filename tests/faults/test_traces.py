"""What `serve` tells a collector of traces, as the processes that an installation really has."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.collector import Collector, Seen, collecting
from tests.faults.served import Served, free_port, serving, wait_until

ORDERS = "/api/v1/orders"
ORDER = {
    "dealership": "northside",
    "customer": {"name": "Ana Núñez", "email": "ana@example.com", "phone": "+34 600 000 000"},
    "vehicle": {"model": "meridian", "trim": "base", "colour": "pearl-white", "options": []},
    "note": "ring twice",
}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def place(served: Served, **headers: str) -> dict[str, Any]:
    answer = httpx.post(f"{served.url}{ORDERS}", json=ORDER, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


def state_of(served: Served, order: dict[str, Any], token: str) -> dict[str, Any]:
    """The order as the dealership sees it; {} until it is stored."""
    answer = httpx.get(f"{served.url}{ORDERS}/{order['id']}", headers=bearer(token), timeout=10)
    found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def accept(served: Served, order: dict[str, Any], token: str) -> None:
    step = state_of(served, order, token)["step"]
    decision = {"outcome": "accept", "step": step}
    decided = httpx.post(
        f"{served.url}{ORDERS}/{order['id']}/decisions", json=decision, headers=bearer(token), timeout=10
    )
    assert decided.status_code == 202, decided.text
    wait_until(lambda: state_of(served, order, token)["state"] == "order_arrived", "the decision is done")


def mails_are_sent(served: Served, count: int) -> bool:
    return len(list((served.data / "mail" / "new").glob("*"))) >= count


def of_trace(collector: Collector, trace: str) -> dict[str, list[Seen]]:
    by_name: dict[str, list[Seen]] = {}
    for span in collector.spans():
        if span.trace == trace:
            by_name.setdefault(span.name, []).append(span)
    return by_name


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    return {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("postgres_url")}


def test_a_request_and_all_that_follows_from_it_is_one_trace(
    tmp_path: Path, database: dict[str, str]
) -> None:
    with collecting() as collector:
        with serving(tmp_path / "data", otlp_endpoint=collector.url, **database) as served:
            token = served.tokens()["northside"]
            order = place(served, traceparent=CALLER)
            wait_until(lambda: bool(state_of(served, order, token)), "the order is stored")
            accept(served, order, token)
            wait_until(lambda: mails_are_sent(served, 3), "the mails are sent")
        # It has stopped, so all of it has been sent.
        assert collector.paths == {"/v1/traces"}

        placed = of_trace(collector, CALLER.split("-")[1])
        (post,) = placed[f"POST {ORDERS}"]
        (work,) = placed["PlaceOrder"]
        assert (post.service, post.parent) == ("dealerflow-web", CALLER.split("-")[2])
        assert (work.service, work.parent) == ("dealerflow-worker", post.id)
        assert len(placed["SendMail"]) == 2
        assert {span.parent for span in placed["SendMail"]} == {work.id}
        assert {span.attributes["dealerflow.outcome"] for span in placed["SendMail"]} == {"done"}
        assert post.attributes["http.response.status_code"] == 202
        assert work.attributes.items() >= {
            ("messaging.destination.name", "orders"),
            ("dealerflow.message", "PlaceOrder"),
            ("dealerflow.attempt", 1),
            ("dealerflow.outcome", "done"),
        }
        assert {span.attributes.get("dealerflow.order") for spans in placed.values() for span in spans} == {
            order["id"]
        }

        decided = collector.span(f"POST {ORDERS}/{{order_id}}/decisions")
        moved = collector.span("MoveOrder")
        assert decided.parent == ""  # nobody's trace was continued
        assert (moved.trace, moved.parent) == (decided.trace, decided.id)
        assert decided.attributes["dealerflow.order"] == moved.attributes["dealerflow.order"] == order["id"]

        told = b"".join(collector.bodies)
        key = order["tracking_url"].rpartition("=")[2]
        for entered in ("Ana Núñez", "ana@example.com", "600 000 000", "600000000", "ring twice", key, token):
            assert entered.encode() not in told
        assert not [span for span in collector.spans() if "readyz" in span.name]


@pytest.mark.parametrize("listens", [False, True], ids=["nobody-listens", "nobody-answers"])
def test_a_dead_collector_loses_no_order_and_holds_nothing_up(tmp_path: Path, listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if listens else free_port()
        with serving(tmp_path / "data", otlp_endpoint=f"http://127.0.0.1:{port}") as served:
            token = served.tokens()["northside"]
            orders = [place(served) for _ in range(20)]
            wait_until(
                lambda: all(state_of(served, order, token) for order in orders), "the orders are stored"
            )
            wait_until(lambda: mails_are_sent(served, 40), "the mails are sent")
        said = served.log.read_text()
    assert "Traceback" not in said
    assert said.count("traces cannot be sent") <= 2  # each process says it once a minute
    assert "does not end; killed" not in said


def test_without_the_setting_nothing_of_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # each process writes down what it imports
    with serving(tmp_path / "data") as served:
        token = served.tokens()["northside"]
        order = place(served, traceparent=CALLER)
        wait_until(lambda: bool(state_of(served, order, token)), "the order is stored")
        wait_until(lambda: mails_are_sent(served, 2), "the mails are sent")
    imported = served.log.read_text()
    for process in ("web", "worker"):
        assert f"dealerflow.composition.{process}\n" in imported
    assert "dealerflow.composition.tracing\n" in imported
    for never in ("opentelemetry", "google.protobuf", "requests\n", "dealerflow.composition.otlp"):
        assert never not in imported

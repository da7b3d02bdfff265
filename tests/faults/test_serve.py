"""`serve` and `work` as real processes: how they start, stop, and are refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.faults.served import COMMAND, Served, is_alive, serving, wait_until
from tests.postgres import PostgresServer

ORDER = {
    "dealership": "northside",
    "customer": {"name": "Ana Núñez", "email": "ana@example.com"},
    "vehicle": {"model": "meridian", "trim": "base", "colour": "pearl-white", "options": []},
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "data") as served:
        yield served


def place(served: Served) -> str:
    answer = httpx.post(f"{served.url}/api/v1/orders", json=ORDER, timeout=10)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def queue(served: Served, name: str) -> dict[str, Any]:
    token = served.command("token", "operator@factory.example").stdout.strip()
    answer = httpx.get(
        f"{served.url}/api/v1/queues", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    return next(one for one in answer.json()["items"] if one["name"] == name)


def is_processed(served: Served, order: str) -> bool:
    return served.command("orders", "show", order).returncode == 0


def test_when_it_is_ready_it_says_where_and_who_can_log_in(served: Served) -> None:
    wait_until(lambda: "admin@factory.example" in served.said(), "the accounts are told")
    assert f"Dealerflow is ready: {served.url}" in served.said()
    assert "(password: demo)" in served.said()


def test_a_second_serve_on_a_directory_is_refused(served: Served) -> None:
    second = served.command("serve", "--port", "0")
    assert second.returncode == 1
    assert f"another Dealerflow already serves {served.data}" in second.stderr
    assert "Traceback" not in second.stderr
    place(served)


def test_a_port_that_is_in_use_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        refused = subprocess.run(
            [*COMMAND, "serve", "--port", str(other.getsockname()[1]), "--data", str(tmp_path / "data")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert refused.returncode == 1
    assert "Address already in use; choose another with --host and --port" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_whole_and_nothing_that_was_taken_is_lost(
    served: Served, number: signal.Signals
) -> None:
    children = served.children()
    orders = [place(served) for _ in range(20)]
    os.killpg(served.supervisor.pid, number) if number == signal.SIGINT else served.supervisor.send_signal(
        number
    )
    assert served.supervisor.wait(10) == 0
    assert not any(map(is_alive, children))
    served.start()
    wait_until(lambda: all(is_processed(served, order) for order in orders[-3:]), "the orders are processed")


def test_while_the_web_process_is_started_again_callers_wait(served: Served) -> None:
    web = served.child("web")
    assert web is not None
    web.send_signal(signal.SIGKILL)
    place(served)  # the socket is the supervisor's, so nobody is refused
    again = served.child("web")
    assert again is not None
    assert again.pid != web.pid


def test_a_queue_can_be_left_to_a_worker_of_its_own(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--except", "orders") as served:
        order = place(served)
        assert queue(served, "orders")["waiting"] == 1
        with served.worker("orders") as worker:
            wait_until(lambda: is_processed(served, order), "the order is processed")
            worker.terminate()
            assert worker.wait(10) == 0


def test_without_workers_orders_wait(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--no-workers") as served:
        assert served.child("worker") is None
        order = place(served)
        assert queue(served, "orders")["waiting"] == 1
        with served.worker():
            wait_until(lambda: is_processed(served, order), "the order is processed")


def test_orders_are_taken_by_a_start_without_the_database(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    served = Served(tmp_path / "data", database_url=postgres_url)
    try:
        served.start()
        assert served.stop() == 0
        postgres.stop()
        served.start()
        order = place(served)
        postgres.start()
        wait_until(lambda: is_processed(served, order), "the order is processed")
        assert served.stop() == 0
    finally:
        postgres.start()
        served.clean_up()


def test_a_rehearsal_takes_cars_to_their_keys(served: Served) -> None:
    done = served.command("simulate", "--orders", "4", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = msgspec.json.decode(done.stdout)
    assert sum(report["ends"].values()) == 4
    assert set(report["ends"]) <= {"ended", "declined", "cancelled"}
    assert report["unexpected"] == {}

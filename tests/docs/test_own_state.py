"""docs/how-to/add-a-state.md: its commands, and the example taken through a whole installation."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dealerflow.pipeline.loader import load, standard
from tests.docs.documents import DOCS, blocks
from tests.docs.sessions import Demo, demo, run

GUIDE = DOCS / "how-to" / "add-a-state.md"
EXAMPLE = DOCS / "how-to" / "examples" / "registration"
LOOKS = 400  # every 50 ms


def example() -> str:
    return (EXAMPLE / "pipeline.yaml").read_text("utf-8")


def test_the_example_is_the_standard_pipeline_with_one_state_more() -> None:
    ours, theirs = load(example()), standard()
    assert set(ours.states) - set(theirs.states) == {"registration"}
    changed = {name for name, state in theirs.states.items() if ours.states[name] != state}
    assert changed == {"quality_check"}
    assert ours.states["quality_check"].outcomes["pass"].to == "registration"


def test_the_guide_shows_what_the_example_has() -> None:
    shown = [block.text for block in blocks(GUIDE.read_text("utf-8")) if block.language == "yaml"]
    added = example()[example().index("  registration:\n") : example().index("  quality_passed:\n")]
    assert added.strip() in shown[1]
    function = next(block for block in blocks(GUIDE.read_text("utf-8")) if block.language == "python")
    body = [line for line in function.text.splitlines() if line.startswith("    ")]
    assert all(line in (EXAMPLE / "cars_office" / "plates.py").read_text("utf-8") for line in body)


def test_the_commands_of_the_guide(tmp_path: Path) -> None:
    with demo(tmp_path, PYTHONPATH=str(EXAMPLE)) as running:
        shutil.copytree(EXAMPLE, tmp_path / "registration")
        assert "\n\n".join(run(GUIDE.read_text("utf-8"), running)) == ""


class Factory:
    """The people of the demo who take one order through the factory over HTTP."""

    def __init__(self, running: Demo) -> None:
        self._running = running
        self.http = httpx.Client(base_url=f"{running.address}/api/v1", timeout=20)
        self._tokens: dict[str, dict[str, str]] = {}
        placed = self.http.post(
            "/orders",
            json={
                "dealership": "northside",
                "customer": {"name": "Ana Ruiz", "email": "ana@example.com"},
                "vehicle": {"model": "meridian", "trim": "base", "colour": "pearl-white"},
            },
        ).json()
        self.id = placed["id"]
        self.key = {"key": placed["tracking_url"].partition("key=")[2]}

    def as_(self, account: str) -> dict[str, str]:
        """The header with the account's token."""
        if account not in self._tokens:
            token = subprocess.run(
                [self._running.folder / ".venv/bin/dealerflow", "token", account, "--data", "data"],
                cwd=self._running.folder,
                env=dict(self._running.environment),
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            self._tokens[account] = {"Authorization": f"Bearer {token}"}
        return self._tokens[account]

    def order(self) -> dict[str, Any]:
        """As an administrator sees it, {} until it is processed."""
        answer = self.http.get(f"/orders/{self.id}", headers=self.as_("admin@factory.example"))
        return dict(answer.json()) if answer.status_code == 200 else {}

    def when(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The order, as soon as this holds."""
        waiting = threading.Event()
        for _ in range(LOOKS):
            order = self.order()
            if order and holds(order):
                return order
            waiting.wait(0.05)
        raise AssertionError(f"it never came to that: {self.order()}")

    def decide(self, state: str, account: str, outcome: str, **details: Any) -> None:
        """Decide this as soon as the order is in the state."""
        order = self.when(lambda order: order["state"] == state)
        body = {"step": order["step"], "outcome": outcome, "details": details}
        answer = self.http.post(f"/orders/{self.id}/decisions", json=body, headers=self.as_(account))
        assert answer.status_code == 202, answer.text

    def pay(self) -> None:
        """Pay what is due, as the customer."""
        self.when(lambda order: order["payment"]["open"])
        body = {"method": "test_card"}
        assert self.http.post(f"/orders/{self.id}/payments", params=self.key, json=body).status_code == 202
        self.when(lambda order: order["payment"]["paid"])


@pytest.fixture
def factory(tmp_path: Path) -> Iterator[Factory]:
    (tmp_path / "data").mkdir()
    shutil.copy(EXAMPLE / "pipeline.yaml", tmp_path / "data" / "pipeline.yaml")
    with demo(tmp_path, DEALERFLOW_PIPELINE="pipeline.yaml", PYTHONPATH=str(EXAMPLE)) as running:
        people = Factory(running)
        yield people
        people.http.close()


def test_a_car_passes_through_the_added_state_and_its_function_is_called(factory: Factory) -> None:
    factory.decide("order_placed", "dealer@northside.example", "accept")
    factory.pay()
    factory.decide("order_arrived", "production@factory.example", "start_production", line="A")
    factory.decide("production_started", "line-a@factory.example", "finish")
    factory.decide("quality_check", "quality@factory.example", "pass")
    reserved = factory.when(lambda order: order["state"] == "registration" and "plate" in order["facts"])
    assert reserved["state_title"] == "Being registered"
    assert reserved["facts"]["plate"].startswith("26-D-")
    factory.decide(
        "registration", "delivery@factory.example", "confirm_plate", plate=reserved["facts"]["plate"]
    )
    passed = factory.when(lambda order: order["state"] == "quality_passed")
    confirmed = next(item for item in passed["history"] if item["outcome"] == "confirm_plate")
    assert confirmed["details"] == {"plate": reserved["facts"]["plate"]}

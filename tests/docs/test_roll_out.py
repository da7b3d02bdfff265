"""docs/how-to/roll-out-a-pipeline.md: its commands, with two orders under way; and what its table says stays."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import httpx

from dealerflow.application import pipeline_moves
from tests.docs.documents import DOCS
from tests.docs.sessions import Demo, demo, run

GUIDE = DOCS / "how-to" / "roll-out-a-pipeline.md"
EXAMPLE = DOCS / "how-to" / "examples" / "registration"
LOOKS = 400  # every 50 ms


def two_orders(running: Demo) -> None:
    """Place them, and wait until both are processed."""
    with httpx.Client(base_url=f"{running.address}/api/v1", timeout=20) as http:
        for _ in range(2):
            placed = http.post(
                "/orders",
                json={
                    "dealership": "northside",
                    "customer": {"name": "Ana Ruiz", "email": "ana@example.com"},
                    "vehicle": {"model": "meridian", "trim": "base", "colour": "pearl-white"},
                },
            ).json()
            key = {"key": placed["tracking_url"].partition("key=")[2]}
            waiting = threading.Event()
            for _ in range(LOOKS):
                answer = http.get(f"/orders/{placed['id']}", params=key).json()
                if answer.get("state") == "order_placed":
                    break
                waiting.wait(0.05)
            else:
                raise AssertionError(f"it is not processed: {answer}")


def test_the_commands_of_the_guide(tmp_path: Path) -> None:
    with demo(tmp_path, PYTHONPATH=str(EXAMPLE)) as running:
        shutil.copytree(EXAMPLE, tmp_path / "registration")
        two_orders(running)
        assert "\n\n".join(run(GUIDE.read_text("utf-8"), running)) == ""


def test_the_reasons_in_the_guide_are_those_of_the_program() -> None:
    told = re.findall(r"^\| `(?:… )?([^`]+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    source = Path(pipeline_moves.__file__).read_text("utf-8")
    assert len(told) == 3
    for reason in told:
        assert re.sub(r"quality_\w+", "{order.state}", reason) in source

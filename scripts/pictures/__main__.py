"""Takes the pictures of the README: .venv/bin/python -m scripts.pictures [ADDRESS], against a fresh `make run`.

It orders a few cars and takes them to different states, so it belongs to a demo that may be thrown away.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
ADDRESS = "http://127.0.0.1:8000"
LOOKS = 200  # every 50 ms
COLOURS = 256  # a picture of a page needs no more, and stays small
STEPS = (
    ("order_placed", "dealer@{dealership}.example", "accept", {}),
    ("order_arrived", "", "pay", {}),
    ("order_arrived", "production@factory.example", "start_production", {"line": "A"}),
    ("production_started", "line-a@factory.example", "finish", {}),
    ("quality_check", "quality@factory.example", "fail", {"defects": ["paint", "gap"]}),
    ("quality_failed", "line-a@factory.example", "rework", {}),
    ("production_started", "line-a@factory.example", "finish", {}),
    ("quality_check", "quality@factory.example", "pass", {}),
)
CARS = (
    # name, dealership, trim, colour, how many of the steps
    ("Ana Ruiz", "northside", "touring", "deep-blue", 6),
    ("Ciara Walsh", "harbour", "base", "pearl-white", 8),
    ("Tom Reilly", "northside", "sport", "ruby-red", 5),
    ("Lucía Gómez", "harbour", "touring", "graphite-grey", 3),
    ("Jonas Vogt", "northside", "base", "deep-blue", 2),
    ("Maeve Kelly", "northside", "touring", "pearl-white", 1),
    ("Pablo Soler", "harbour", "sport", "deep-blue", 0),
    ("Nora Lind", "northside", "base", "ruby-red", 4),
)


class Demo:
    """The people of a running demo, each logged in once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._clients: dict[str, httpx.Client] = {}

    def as_(self, email: str) -> httpx.Client:
        """A client that is logged in as this account; "" is anybody."""
        if email not in self._clients:
            client = httpx.Client(base_url=f"{self._address}/api/v1", timeout=20)
            if email:
                answer = client.post(
                    "/sessions", json={"email": email, "password": "demo"}
                ).raise_for_status()
                client.headers["X-CSRF-Token"] = answer.headers["X-CSRF-Token"]
            self._clients[email] = client
        return self._clients[email]

    def car(self, name: str, dealership: str, vehicle: dict[str, Any], steps: int) -> str:
        """Order a car and take it so many steps; the customer's page."""
        email = name.split(maxsplit=1)[0].lower().replace("í", "i") + "@example.com"
        form = {"dealership": dealership, "customer": {"name": name, "email": email}, "vehicle": vehicle}
        placed = self.as_("").post("/orders", json=form).raise_for_status().json()
        for state, who, what, details in STEPS[:steps]:
            if what == "pay":
                self._pay(placed)
            else:
                self._decide(placed["id"], state, who.format(dealership=dealership), what, details)
        self.when(placed["id"], lambda order: order["decision"] is None)
        return str(placed["tracking_url"])

    def when(self, order_id: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The order, as soon as this holds of it."""
        waiting = threading.Event()
        for _ in range(LOOKS):
            answer = self.as_("admin@factory.example").get(f"/orders/{order_id}")
            if answer.status_code == 200 and holds(answer.json()):
                return dict(answer.json())
            waiting.wait(0.05)
        raise RuntimeError(f"order {order_id} did not come to that: {answer.text}")

    def _pay(self, placed: dict[str, Any]) -> None:
        self.when(placed["id"], lambda order: order["payment"]["open"])
        key = placed["tracking_url"].partition("key=")[2]
        path = f"/orders/{placed['id']}/payments"
        self.as_("").post(path, params={"key": key}, json={"method": "test_card"}).raise_for_status()
        self.when(placed["id"], lambda order: order["invoice"]["status"] == "issued")

    def _decide(self, order_id: str, state: str, who: str, what: str, details: dict[str, Any]) -> None:
        order = self.when(order_id, lambda order: order["state"] == state and order["decision"] is None)
        body = {"step": order["step"], "outcome": what, "details": details}
        self.as_(who).post(f"/orders/{order_id}/decisions", json=body).raise_for_status()


def save(picture: bytes, name: str) -> None:
    """Write a small PNG."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(PICTURES / name, optimize=True)


def photograph(browser: Browser, address: str, tracking_url: str) -> None:
    """The customer's page, and the board as the head of operations sees it."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", locale="en"
    ) as context:
        page = context.new_page()
        page.goto(tracking_url)
        save(page.screenshot(), "tracking.png")
    with browser.new_context(
        viewport={"width": 1600, "height": 900}, color_scheme="light", locale="en"
    ) as context:
        page = context.new_page()
        page.goto(f"{address}/login")
        page.fill("input[name=email]", "head1@factory.example")
        page.fill("input[name=password]", "demo")
        page.click("main button:not([type=button])")
        page.goto(f"{address}/board?view=all")
        save(page.screenshot(), "board.png")


def main(address: str) -> None:
    """Order, move, photograph."""
    demo = Demo(address)
    pages = [
        demo.car(
            name,
            dealership,
            {"model": "meridian", "trim": trim, "colour": colour, "options": ["winter-pack"]},
            steps,
        )
        for name, dealership, trim, colour, steps in CARS
    ]
    chromium = (
        os.environ.get("CHROMIUM")
        or subprocess.run(
            [ROOT / "scripts" / "ensure-chromium"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        photograph(browser, address, pages[0])
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ADDRESS)

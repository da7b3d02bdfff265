"""docs/tutorial/first-car.md, its first part: what it says to click leads from the order to the keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PageOf
from tests.docs.documents import DOCS
from tests.docs.sessions import Demo, demo

LOOKS, LOOK_MS = 30, 500
TUTORIAL = " ".join((DOCS / "tutorial" / "first-car.md").read_text("utf-8").split())


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Demo]:
    with demo(tmp_path) as started:
        yield started


def button(within: Page | Locator, label: str) -> Locator:
    """A button or a link that looks like one, with this label of the tutorial."""
    assert f"**{label}**" in TUTORIAL, f"the tutorial does not speak of {label}"
    begins = re.compile(rf"^\s*{re.escape(label.removesuffix('…').strip())}")
    return within.locator("a, button:not([aria-hidden]), summary").filter(has_text=begins).first


def test_a_newcomer_takes_a_car_to_its_keys(running: Demo, page_of: PageOf) -> None:
    customer = page_of(base_url=running.address)
    staff = customer.context.new_page()  # a second tab of the same browser, as the tutorial says

    @contextmanager
    def logged_in(account: str, at: str) -> Iterator[Page]:
        assert f"`{account}`" in TUTORIAL
        staff.goto("/login")
        staff.get_by_label("E-mail").fill(account)
        staff.get_by_label("Password").fill("demo")
        staff.get_by_role("button", name="Log in").click()
        button(staff, at).click()
        yield staff
        button(staff, "Log out").click()

    def reaches(state: str) -> None:
        shows(customer.locator("#head"), state)

    def shows(part: Locator, text: str) -> None:
        for _ in range(LOOKS):
            button(customer, "Look again").click()
            with suppress(AssertionError):
                expect(part).to_contain_text(text, timeout=LOOK_MS)
                return
        expect(part).to_contain_text(text)

    customer.goto("/")
    button(customer, "Order a car").click()
    for choice in ("Northside Motors", "Meridian", "Touring", "Deep blue"):
        chosen = customer.get_by_role("radio", name=re.compile(rf"^{choice}\b"))
        chosen.locator("xpath=ancestor::label").click()
        expect(chosen).to_be_checked()
    customer.get_by_label("Name", exact=True).fill("Ana Ruiz")
    customer.get_by_label("E-mail", exact=True).fill("ana@example.com")
    button(customer, "Order this car").click()
    reaches("Waiting for the dealership")

    with logged_in("dealer@northside.example", "Board") as board:
        button(board, "Accept the order").click()
        reaches("Order arrived")
    with logged_in("production@factory.example", "Lines") as lines:
        expect(lines.locator("main")).to_contain_text("Waits for payment")
    button(customer, "Pay …").click()
    shows(customer.locator("#documents"), "Invoice NORTHSIDE-")
    with logged_in("production@factory.example", "Lines") as lines:
        confirm(
            button(
                lines.locator("section", has=lines.get_by_role("heading", name="Line A")), "Start production"
            )
        )
        reaches("In production")
    with logged_in("line-a@factory.example", "Board") as board:
        confirm(button(board, "Finish production"))
        reaches("Quality check")
    with logged_in("quality@factory.example", "Board") as board:
        unfolded(button(board, "Fail the car"), board)
        board.get_by_label("Paint").first.check()
        board.locator("form", has=board.get_by_label("Paint").first).get_by_role("button").click()
        reaches("Failed quality")
    with logged_in("line-a@factory.example", "Board") as board:
        confirm(button(board, "Rework the car"))
        reaches("In production")
        button(board, "Board").click()
        confirm(button(board, "Finish production"))
        reaches("Quality check")
    with logged_in("quality@factory.example", "Board") as board:
        confirm(button(board, "Pass the car"))
        reaches("Passed quality")
    with logged_in("delivery@factory.example", "Loads") as loads:
        loads.locator("input[name=orders]").first.check()
        button(loads, "Make a load of the chosen cars").click()
        button(loads, "Let it depart …").click()
        loads.get_by_role("button", name="Yes, it departs now").click()
        reaches("On its way")
    with logged_in("dealer@northside.example", "Incoming cars") as incoming:
        unfolded(button(incoming, "Receive the car"), incoming)
        incoming.get_by_label("In order").first.check()
        incoming.locator("form", has=incoming.get_by_label("In order").first).get_by_role("button").click()
        reaches("At the dealership")
        button(incoming, "Incoming cars").click()
        confirm(button(incoming, "Hand over the keys"))
        reaches("Handed over")
    with logged_in("operator@factory.example", "Mail") as mail:
        expect(mail.locator("main")).to_contain_text("ana@example.com")


def unfolded(move: Locator, page: Page) -> None:
    """Choose a move that asks for something."""
    move.click()
    page.wait_for_load_state()


def confirm(move: Locator) -> None:
    """Choose a move, and say yes where it asks."""
    page = move.page
    form = move.locator("xpath=ancestor::details[1]").locator("form button")
    asks = form.count() > 0
    move.click()
    if asks:
        form.first.click()
    page.wait_for_load_state()

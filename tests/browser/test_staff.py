"""What the staff of a dealership and of the factory do in their browsers, with and without JavaScript."""

from __future__ import annotations

import json
import urllib.request
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect

from dealerflow.domain.messages import IssueInvoice
from tests.browser.conftest import PageOf
from tests.browser.site import Site
from tests.web.harness import ORDER, address

PHONE = {"width": 360, "height": 740}
HOUR_MS = 3_600_000

with_and_without_javascript = pytest.mark.parametrize(
    "javascript", [False, True], ids=["without js", "with js"]
)


class Factory:
    """The people at work, each at a machine of their own."""

    def __init__(self, site: Site, page_of: PageOf, javascript: bool) -> None:
        self.site = site
        self._page_of = page_of
        self._javascript = javascript
        self._pages: dict[str, Page] = {}
        self.complaints: list[str] = []

    def at(self, who: str, path: str, **options: object) -> Page:
        """This person, logged in, on that page."""
        page = self._pages.get(who) or self._log_in(who, **options)
        page.goto(self.site.url + path)
        return page

    def order(self, **changes: object) -> str:
        """An order that a customer has placed, and that was processed."""
        asked = urllib.request.Request(  # noqa: S310 - our own site
            f"{self.site.url}/api/v1/orders",
            json.dumps({**ORDER, **changes}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - our own site
            taken = json.load(answer)
        self.site.process()
        return str(taken["id"])

    def state(self, order: str) -> str:
        with self.site.system.database.read() as work:
            return work.orders.get(order).state

    def vin(self, order: str) -> str:
        with self.site.system.database.read() as work:
            vehicle = work.orders.get(order).vehicle
            assert vehicle is not None
            return work.factory.vehicle(vehicle).vin

    def _log_in(self, who: str, **options: object) -> Page:
        page = self._page_of(javascript=self._javascript, **options)
        page.on(
            "console",
            lambda message: self.complaints.append(message.text) if "Policy" in message.text else None,
        )
        page.goto(f"{self.site.url}/login")
        page.fill("input[name=email]", address(who))
        page.fill("input[name=password]", "demo")
        page.locator("main form").filter(has=page.locator("input[name=password]")).get_by_role(
            "button"
        ).first.click()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        self._pages[who] = page
        return page


@pytest.fixture
def factory(site: Site, page_of: PageOf, javascript: bool) -> Factory:
    return Factory(site, page_of, javascript)


def card(page: Page, order: str) -> Locator:
    return page.locator("article.order", has=page.locator(f'a[href="/board/{order}"]')).first


def do(where: Locator, outcome: str) -> None:
    """Press the button of an outcome that asks for nothing."""
    where.get_by_role("button", name=outcome, exact=True).click()


def unfold(where: Locator, outcome: str) -> Locator:
    """Open the form of an outcome that asks for something."""
    where.locator("summary", has_text=outcome).click()
    return where.locator("details.move[open] form")


# --- one car, from its order to its keys ---


@with_and_without_javascript
def test_a_car_goes_through_everybody_s_hands(factory: Factory) -> None:
    order = factory.order()
    accepted_and_paid(factory, order)
    started(factory, order, "Line A")
    finished(factory, order)
    failed(factory, order, "Paint", "Noise")
    reworked(factory, order)
    finished(factory, order)
    passed(factory, order)
    load = sent_off(factory, order)
    received_and_handed_over(factory, order)
    assert factory.state(order) == "ended"
    page = factory.at("head1", f"/board/{order}")
    expect(page.locator(".history")).to_contain_text("Fail the car → Failed quality")
    expect(factory.at("delivery", load).get_by_role("link", name="Northside Motors")).to_be_visible()
    assert factory.complaints == []


def accepted_and_paid(factory: Factory, order: str) -> None:
    page = factory.at("dealer@northside", "/board")
    do(card(page, order), "Accept the order")
    expect(page.get_by_role("status")).to_contain_text("Accept the order")
    factory.site.process()
    page = factory.at("dealer@northside", f"/board/{order}")
    page.get_by_role("button", name="with the test card").click()
    factory.site.process()
    page = factory.at("dealer@northside", f"/board/{order}")
    expect(page.get_by_role("link", name="NORTHSIDE-2026-000001")).to_be_visible()


def started(factory: Factory, order: str, line: str) -> None:
    page = factory.at("production", "/lines")
    panel = page.get_by_role("region", name=line, exact=True)
    do(panel.locator("article.order", has=page.locator(f'a[href="/board/{order}"]')), "Start production")
    factory.site.process()
    assert factory.state(order) == "production_started"
    expect(factory.at("production", "/lines").get_by_text("1 of 10 places taken")).to_be_visible()


def finished(factory: Factory, order: str) -> None:
    do(card(factory.at("line-a", "/board"), order), "Finish production")
    factory.site.process()
    assert factory.state(order) == "quality_check"


def failed(factory: Factory, order: str, *defects: str) -> None:
    form = unfold(card(factory.at("quality", "/board"), order), "Fail the car")
    for defect in defects:
        form.get_by_label(defect, exact=True).check()
    form.get_by_label("Note").fill("left door")
    do(form, "Fail the car")
    factory.site.process()
    assert factory.state(order) == "quality_failed"


def reworked(factory: Factory, order: str) -> None:
    do(card(factory.at("line-a", "/lines"), order), "Rework the car")
    factory.site.process()
    assert factory.state(order) == "production_started"


def passed(factory: Factory, order: str) -> None:
    do(card(factory.at("quality", "/board"), order), "Pass the car")
    factory.site.process()
    assert factory.state(order) == "quality_passed"


def sent_off(factory: Factory, order: str) -> str:
    """Put it on a load and let that depart; the load's page."""
    page = factory.at("delivery", "/loads")
    page.locator(f'input[name=orders][value="{order}"]').check()
    page.get_by_label("Carrier").fill("Atlantic Carriers")
    page.get_by_role("button", name="Make a load").click()
    load = page.url
    page.get_by_role("link", name="Let it depart").click()
    page.get_by_role("button", name="Yes, it departs now").click()
    expect(page.get_by_role("status")).to_contain_text("has departed")
    factory.site.process()
    assert factory.state(order) == "on_delivery"
    return load.removeprefix(factory.site.url)


def received_and_handed_over(factory: Factory, order: str) -> None:
    page = factory.at("dealer@northside", "/incoming")
    expect(page.get_by_role("link", name="PDF")).to_be_visible()
    form = unfold(card(page, order), "Receive the car")
    form.get_by_label("In order").check()
    form.get_by_label("Note").fill("All fine.")
    do(form, "Receive the car")
    factory.site.process()
    do(card(factory.at("dealer@northside", "/incoming"), order), "Hand over the keys")
    factory.site.process()


# --- other ways ---


@with_and_without_javascript
def test_a_dealer_declines_with_a_reason(factory: Factory) -> None:
    order = factory.order()
    page = factory.at("dealer@northside", "/incoming")
    form = unfold(card(page, order), "Decline the order")
    form.get_by_label("Reason").fill("We cannot get this colour.")
    do(form, "Decline the order")
    factory.site.process()
    assert factory.state(order) == "declined"
    page = factory.at("dealer@northside", f"/board/{order}")
    expect(page.locator(".history")).to_contain_text("Reason: We cannot get this colour.")


@with_and_without_javascript
def test_a_reason_of_blanks_is_refused_beside_its_field(factory: Factory) -> None:
    order = factory.order()
    page = factory.at("dealer@northside", "/incoming")
    form = unfold(card(page, order), "Decline the order")
    form.get_by_label("Reason").fill("   ")
    do(form, "Decline the order")
    expect(page.locator(".fault")).to_contain_text("Please fill this in.")
    expect(page.get_by_label("Reason").first).to_have_attribute("aria-invalid", "true")
    assert factory.state(order) == "order_placed"


@with_and_without_javascript
def test_a_scrapped_car_is_built_anew_with_another_vin(factory: Factory) -> None:
    order = factory.order()
    accepted_and_paid(factory, order)
    started(factory, order, "Line A")
    first = factory.vin(order)
    finished(factory, order)
    failed(factory, order, "Leak")
    form = unfold(card(factory.at("line-a", "/board"), order), "Scrap and build anew")
    expect(form).to_contain_text("This cannot be undone.")
    do(form, "Scrap and build anew")
    factory.site.process()
    assert factory.state(order) == "order_arrived"
    started(factory, order, "Line B")
    assert factory.vin(order) != first


@with_and_without_javascript
def test_the_slower_of_two_people_is_told_who_was_quicker(factory: Factory) -> None:
    order = factory.order()
    accepted_and_paid(factory, order)
    slow = factory.at("dealer@northside", f"/board/{order}")
    slow.locator("summary", has_text="Cancel the order").click()
    page = factory.at("production", f"/board/{order}")
    form = unfold(page.locator(".decide"), "Start production")
    form.get_by_label("Line A").check()
    do(form, "Start production")
    do(slow.locator(".decide"), "Cancel the order")
    expect(slow.get_by_role("alert")).to_contain_text("Petra Lindqvist has decided “Start production”")


@with_and_without_javascript
def test_an_operator_pauses_a_queue_and_offers_a_dead_letter_again(factory: Factory) -> None:
    system = factory.site.system
    with system.database.begin() as work:
        work.send("invoices", IssueInvoice(payment="pay_nothing"))
    for _ in range(20):
        system.drain("invoices")
        system.clock.pass_ms(HOUR_MS)
    page = factory.at("operator", "/queues")
    page.get_by_role("button", name="Pause invoices").click()
    expect(page.get_by_role("row", name="invoices")).to_contain_text("Paused")
    page.get_by_role("link", name="invoices").click()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Offer the chosen ones again").click()
    expect(page.get_by_role("status")).to_contain_text("Offered again: 1.")
    page.get_by_role("button", name="Resume").click()
    assert system.store.is_open("invoices", now=system.clock.now())


# --- how the pages behave ---


@pytest.mark.parametrize("javascript", [True], ids=["with js"])
def test_the_page_keeps_itself_up_to_date(factory: Factory) -> None:
    order = factory.order()
    page = factory.at("dealer@northside", f"/board/{order}")
    do(page.locator(".decide"), "Accept the order")
    expect(page.locator(".decide")).to_contain_text("is being carried out")
    factory.site.process()
    expect(page.locator(".order-title")).to_contain_text("Order arrived")


@pytest.mark.parametrize("javascript", [True], ids=["with js"])
def test_an_address_that_names_a_move_unfolds_it(factory: Factory) -> None:
    order = factory.order()
    page = factory.at("dealer@northside", f"/board/{order}#{order}-decline")
    expect(page.get_by_label("Reason").first).to_be_focused()


@pytest.mark.parametrize("javascript", [False], ids=["without js"])
def test_the_keyboard_is_enough_to_decline(factory: Factory) -> None:
    order = factory.order()
    page = factory.at("dealer@northside", f"/board/{order}")
    page.locator("summary", has_text="Decline the order").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("By keyboard.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Decline the order")
    factory.site.process()
    assert factory.state(order) == "declined"


PAGES = (
    ("dealer@northside", ("/board", "/board?view=all", "/incoming", "/account", "/webhooks")),
    ("production", ("/board", "/lines")),
    ("delivery", ("/loads",)),
    ("head1", ("/figures", "/lines?line=A")),
    ("operator", ("/queues", "/queues/orders", "/mail", "/board?q=nunez")),
    ("admin", ("/board",)),
)
UNLABELLED = """() => [...document.querySelectorAll("input:not([type=hidden], [hidden]), select, textarea, button, iframe, a")]
  .filter((e) => !(e.labels?.length || e.getAttribute("aria-label") || e.title || e.textContent.trim()))
  .map((e) => e.outerHTML)"""
TWICE = """() => { const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at); }"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4")].map((e) => Number(e.tagName[1]))"""


@pytest.mark.parametrize("javascript", [True], ids=["with js"])
def test_every_page_fits_a_phone_and_names_its_fields(factory: Factory) -> None:
    order = factory.order()
    accepted_and_paid(factory, factory.order(customer={"name": "W" * 60, "email": f"{'w' * 60}@example.com"}))
    for who, paths in PAGES:
        for path in (*paths, f"/board/{order}"):
            page = factory.at(who, path, viewport=PHONE)
            page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            where = f"{path} as {who}"
            assert page.evaluate(TOO_WIDE) == 0, where
            assert page.evaluate(UNLABELLED) == [], where
            assert page.evaluate(TWICE) == [], where
            levels = page.evaluate(HEADINGS)
            assert levels.count(1) == 1, where
            assert all(after - before <= 1 for before, after in pairwise(levels)), where
    mail = factory.at("operator", "/mail")
    mail.locator("table.mails a").first.click()
    frame = mail.frame_locator("iframe")
    expect(frame.locator("body")).to_contain_text("Northside Motors")
    assert (
        frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        == "rgb(243, 244, 246)"
    )
    assert factory.complaints == []

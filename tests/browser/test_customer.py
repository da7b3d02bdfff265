"""The customer's task in a real browser: order a car, follow it, pay, find the invoice, change one's mind."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dealerflow.application.orders import DecisionForm, decide
from dealerflow.domain.people import Caller
from tests.browser.conftest import PageOf
from tests.browser.inclusive import faults
from tests.browser.site import Site
from tests.web.harness import address

PHONE = {"width": 360, "height": 740}
with_and_without_scripts = pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])


def order_of(page: Page) -> str:
    return str(re.findall(r"/orders/(\w+)", page.url)[0])


def move(site: Site, order: str, who: str, outcome: str, **details: Any) -> None:
    with site.system.database.begin() as work:
        account = next(a for a in work.reference.accounts() if a.email == address(who))
        form = DecisionForm(outcome=outcome, step=work.orders.get(order).step, details=details)
        decide(work, Caller(account=account), order, form)
    site.process()


def look_again(page: Page) -> None:
    page.get_by_role("link", name="Look again").click()


def choice(page: Page, name: str) -> Locator:
    """A choice by the beginning of its label, behind which stand its price and its rules."""
    return page.get_by_label(re.compile(rf"^\s*{re.escape(name)}"))


def fill_in_person(page: Page, name: str = "Ana Núñez") -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("E-mail").fill("ana@example.com")


def order_a_car(page: Page, query: str = "?dealership=northside") -> str:
    page.goto(f"/order{query}")
    fill_in_person(page)
    page.get_by_role("button", name="Order this car").click()
    expect(page.get_by_text("Your order has been received")).to_be_visible()
    return order_of(page)


@with_and_without_scripts
def test_a_customer_orders_pays_and_follows_a_car(site: Site, page_of: PageOf, javascript: bool) -> None:
    page = page_of(javascript=javascript, base_url=site.url)
    page.goto("/")
    page.get_by_role("link", name="Order a car").click()
    choice(page, "Lakeside Automobile").check()
    choice(page, "Solano").check()
    if not javascript:
        page.get_by_role("button", name="Show this model").click()
    choice(page, "Cross").check()
    choice(page, "Forest green").check()
    choice(page, "Tow bar").check()
    if not javascript:
        page.get_by_role("button", name="Update the price").click()
    expect(page.locator("#total")).to_have_text("€28,640.00")
    expect(page.locator("#summary")).to_contain_text("20 % is due before production")
    fill_in_person(page)
    page.get_by_role("button", name="Order this car").click()

    expect(page.locator("#progress [aria-current]")).to_contain_text("Received")
    order = order_of(page)
    site.process()
    look_again(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your Solano Cross")
    expect(page.locator("#payment")).to_contain_text("You can pay as soon as the dealership has accepted")

    move(site, order, "dealer@lakeside", "accept")
    look_again(page)
    page.get_by_role("button", name="Pay €5,728.00").click()
    expect(page.locator("#payment")).to_contain_text("Your payment is being processed.")
    site.process()
    look_again(page)
    expect(page.locator("#documents")).to_contain_text("Invoice LAKESIDE-2026-000001")
    invoice = page.request.get(page.locator("#documents a").get_attribute("href") or "")
    assert invoice.headers["content-type"] == "application/pdf"
    assert invoice.body().startswith(b"%PDF")

    move(site, order, "production", "start_production", line="A")
    look_again(page)
    expect(page.locator("#progress [aria-current]")).to_contain_text("In production")
    expect(page.locator("#vin")).to_have_text(re.compile("^[A-HJ-NPR-Z0-9]{17}$"))
    expect(page.get_by_role("link", name="Cancel the order")).to_have_count(0)


@with_and_without_scripts
def test_a_customer_cancels_and_gets_the_money_back(site: Site, page_of: PageOf, javascript: bool) -> None:
    page = page_of(javascript=javascript, base_url=site.url)
    order = order_a_car(page)
    site.process()
    move(site, order, "dealer@northside", "accept")
    look_again(page)
    page.get_by_role("button", name="Pay €31,900.00").click()
    expect(page.locator("#payment")).to_contain_text("being processed")
    site.process()
    look_again(page)
    page.get_by_role("link", name="Cancel the order").click()
    page.get_by_label("Reason").fill("We move abroad.")
    page.get_by_role("button", name="Yes: Cancel the order").click()
    expect(page.get_by_text("Your decision has been taken")).to_be_visible()
    site.process()
    look_again(page)
    expect(page.locator("#progress")).to_contain_text("This order ended here: Cancelled")
    expect(page.locator("#payment")).to_contain_text("To be refunded")
    expect(page.locator("#history")).to_contain_text("We move abroad.")


@with_and_without_scripts
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    site: Site, page_of: PageOf, javascript: bool
) -> None:
    page = page_of(javascript=javascript, base_url=site.url)
    page.goto("/order?dealership=harbour")
    page.get_by_label("Name", exact=True).fill("Ana Núñez")
    page.get_by_label("E-mail").fill("ana at example")
    page.get_by_role("button", name="Order this car").click()
    expect(page.locator("#email-fault")).to_contain_text("This is no e-mail address")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ana Núñez")
    page.get_by_label("E-mail").fill("ana@example.com")
    page.get_by_role("button", name="Order this car").click()
    expect(page.get_by_text("Your order has been received")).to_be_visible()


@with_and_without_scripts
def test_a_broken_rule_is_explained_until_it_is_mended(site: Site, page_of: PageOf, javascript: bool) -> None:
    page = page_of(javascript=javascript, base_url=site.url)
    page.goto("/order?dealership=northside")
    fill_in_person(page)
    update, place = (page.get_by_role("button", name=name) for name in ("Update the price", "Order this car"))
    choice(page, "Trailer assist").check()
    if javascript:
        expect(place).to_be_disabled()
        expect(update).to_be_hidden()
    else:
        place.click()
    expect(page.locator("#summary")).to_contain_text("Trailer assist needs Tow bar, detachable.")
    page.locator("#option-tow-bar").check()
    if not javascript:
        update.click()
    expect(page.locator("#total")).to_have_text("€33,250.00")
    place.click()
    expect(page.get_by_text("Your order has been received")).to_be_visible()


def test_with_scripts_the_price_and_the_address_follow_each_choice(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url)
    page.goto("/order")
    fill_in_person(page)
    choice(page, "Northside Motors").check()
    page.locator("#trim-sport").check()
    expect(page.locator("#total")).to_have_text("€38,800.00")
    choice(page, "Ruby red").check()
    expect(page.locator("#total")).to_have_text("€39,700.00")
    expect(page).to_have_url(re.compile(r"/order\?.*dealership=northside.*colour=ruby-red"))
    assert "Ana" not in page.url
    assert "csrf" not in page.url
    page.reload()
    expect(page.locator("#total")).to_have_text("€39,700.00")


def test_with_scripts_what_cannot_be_had_cannot_be_chosen(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url)
    page.goto("/order?model=solano")
    expect(choice(page, "Forest green")).to_be_disabled()
    choice(page, "Cross").check()
    expect(choice(page, "Forest green")).to_be_enabled()


def test_with_scripts_the_keyboard_stays_where_it_was(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url)
    page.goto("/order?dealership=northside")
    page.locator("#option-tow-bar").focus()
    page.keyboard.press("Space")
    expect(page.locator("#total")).to_have_text("€32,790.00")
    expect(page.locator("#option-tow-bar")).to_be_focused()
    page.locator("#trim-base").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#total")).to_have_text("€36,990.00")
    expect(page.locator("#trim-touring")).to_be_focused()


def test_with_scripts_the_tracking_page_keeps_itself_up_to_date(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url)
    order_a_car(page)
    expect(page.get_by_text("This page keeps itself up to date.")).to_be_visible()
    site.process()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your Meridian Base")


def test_a_whole_order_is_placed_from_the_keyboard(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url)
    page.goto("/order?dealership=northside")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("Ana Núñez")
    page.keyboard.press("Tab")
    page.keyboard.type("ana@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your order has been received")).to_be_visible()


def test_a_second_click_orders_no_second_car(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url)
    page.goto("/order?dealership=northside")
    fill_in_person(page)
    page.get_by_role("button", name="Order this car").dblclick()
    expect(page.get_by_text("Your order has been received")).to_be_visible()
    site.process()
    with site.system.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM orders").scalar() == 1


def test_what_a_customer_types_is_never_run(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url)
    evil = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'
    page.goto("/order?dealership=northside")
    fill_in_person(page, evil)
    page.get_by_label("Note to the dealership").fill(evil)
    page.get_by_role("button", name="Order this car").click()
    expect(page.get_by_text("Your order has been received")).to_be_visible()
    site.process()
    look_again(page)
    expect(page.locator("#car")).to_contain_text(evil)
    assert "Order" in page.title()


@with_and_without_scripts
def test_the_pages_speak_spanish(site: Site, page_of: PageOf, javascript: bool) -> None:
    page = page_of(javascript=javascript, base_url=site.url, locale="es-ES")
    page.goto("/order?dealership=harbour&options=trailer-assist")
    expect(page.locator("#summary")).to_contain_text("Asistente de remolque necesita")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order a car")
    page.goto("/login")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_the_page_of_the_api_fits_a_phone_and_loads_all_that_it_names(site: Site, page_of: PageOf) -> None:
    page = page_of(base_url=site.url, viewport=PHONE)
    missing: list[str] = []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
    page.goto("/docs")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert missing == []


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_customers_pages(
    site: Site, page_of: PageOf, viewport: dict[str, int], scheme: str
) -> None:
    page = page_of(base_url=site.url, viewport=viewport, color_scheme=scheme)
    for place in ("/", "/login", "/nothing-here", "/order?options=trailer-assist"):
        page.goto(place)
        assert faults(page) == []
    page.goto("/order")
    page.get_by_role("button", name="Order this car").click()
    expect(page.locator("#name-fault")).to_be_visible()
    assert faults(page) == []
    order = order_a_car(page)
    assert faults(page) == []
    site.process()
    move(site, order, "dealer@northside", "accept")
    look_again(page)
    expect(page.locator("#pay")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="Cancel the order").click()
    assert faults(page) == []


@with_and_without_scripts
def test_logging_in_and_out(site: Site, page_of: PageOf, javascript: bool) -> None:
    page = page_of(javascript=javascript, base_url=site.url)
    page.goto("/")
    page.get_by_role("link", name="Quentin Moreau").click()
    expect(page.get_by_label("E-mail")).to_have_value("quality@factory.example")
    page.get_by_label("Password").fill("wrong")
    page.locator("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("The e-mail address or the password is wrong.")
    page.get_by_label("Password").fill("demo")
    page.locator("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()

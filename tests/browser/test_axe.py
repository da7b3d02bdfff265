"""Every page of everybody, in both languages and both colour schemes, has nothing that axe-core finds fault with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page

from dealerflow.domain.languages import LANGUAGES
from dealerflow.web import pages
from dealerflow.web.pages.frame import LANGUAGE_COOKIE
from tests.browser.axe import violations
from tests.browser.conftest import PageOf
from tests.browser.site import Site
from tests.browser.world import World
from tests.web.api.life import API
from tests.web.harness import PASSWORD, Client, address

STAFF = (
    "dealer@northside", "dealer@lakeside", "production", "line-a", "quality", "delivery", "head1", "operator", "admin",
)  # fmt: skip
# Routes that answer with no page: style sheets and scripts, PDFs, what was attached to a mail.
NO_PAGES = re.compile(r"/static/|/documents/|/delivery-notes/|/attachments/")

THEIRS = {
    "dealer@northside": ("order_placed", "order_arrived", "on_delivery", "at_dealership", "cancelled"),
    "dealer@lakeside": ("unpaid", "paid in part"),
    "production": ("order_arrived",),
    "line-a": ("production_started", "quality_failed"),
    "quality": ("quality_check",),
    "delivery": ("quality_passed",),
    "head1": ("ended",),
    "operator": ("ended",),
}
# What no navigation leads to.
OWN_PAGES = {
    "dealer@northside": ("/webhooks", "/webhooks/{webhook}"),
    "line-a": ("/lines?line=A",),
    "delivery": ("/loads/{load}", "/loads/{load}/departure"),
    "head1": ("/lines?line=B",),
    "operator": ("/queues/invoices", "/webhooks"),
    "admin": ("/webhooks", "/board?view=all", "/board?q=nothing-like-it"),
}


@pytest.fixture
def world(site: Site, language: str) -> Iterator[World]:
    with httpx.Client(base_url=site.url) as http:
        yield World(Client(site.system, http), language).fill()


class Round:
    """One person after another looks at all that there is for them, in one language."""

    def __init__(self, world: World, page_of: PageOf, language: str, url: str) -> None:
        self._world, self._page_of, self._language, self._url = world, page_of, language, url
        self.seen: set[str] = set()
        self.found: list[str] = []
        self.who = "a customer"
        self.page = self._page_of()

    def begin(self, who: str | None) -> None:
        """Another person, at another machine; None is a customer."""
        self.who = who or "a customer"
        self.page = self._page_of(base_url=self._url)
        cookie = {"name": LANGUAGE_COOKIE, "value": self._language, "url": self._url}
        self.page.context.add_cookies([cookie])  # type: ignore[list-item]
        if who:
            login = {"email": address(who), "password": PASSWORD}
            assert self.page.request.post(f"{API}/sessions", data=login).ok

    def look(self, path: str, status: int = 200) -> Page:
        """Open this page, and have axe look at it."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path} as {self.who}: {answer.status}"
        self.judge()
        return self.page

    def read(self, path: str) -> None:
        """Have axe look at a mail as its reader's program shows it. Where it is shown here no script may run, axe neither."""
        self.page.goto("about:blank")  # a page of ours would lend it its content security policy
        self.page.set_content(self.page.request.get(path).text())
        self.judge(path)

    def send(self, button: str) -> None:
        """Press this button, and have axe look at where it leads."""
        self.page.evaluate(
            "() => document.querySelectorAll('form').forEach((one) => { one.noValidate = true; })"
        )
        with self.page.expect_navigation():
            self.page.locator(button).click()
        self.judge()

    def judge(self, path: str | None = None) -> None:
        """Have axe look at what is shown."""
        path = path or urlsplit(self.page.url).path
        self.seen.add(path)
        self.found += violations(self.page, self._language, f"{path} as {self.who}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_no_fault_with_any_page_of_anybody(
    site: Site, world: World, page_of: PageOf, language: str
) -> None:
    walk = Round(world, page_of, language, site.url)
    as_a_customer(walk, world)
    for who in STAFF:
        as_staff(walk, world, who)
    as_one_who_errs(walk, world)
    assert walk.found == []
    unseen = [route for route in routes_of_pages() if not any(map(route.fullmatch, walk.seen))]
    assert unseen == [], "name these pages above, or among those that are none"


def as_a_customer(walk: Round, world: World) -> None:
    walk.begin(None)
    for path in ("/", "/login", "/order", "/order?options=trailer-assist", "/docs"):
        walk.look(path)
    for order in world.orders.values():
        walk.look(f"/orders/{order['id']}?key={order['key']}")
    cancelled = world.orders["order_placed"]
    walk.look(f"/orders/{cancelled['id']}/decisions/cancel?key={cancelled['key']}")


def as_staff(walk: Round, world: World, who: str) -> None:
    walk.begin(who)
    page = walk.look("/board")
    links = page.locator("nav.places a").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    places = {urlsplit(link).path for link in links} - {"/board"}
    for path in sorted(places | {"/account"}):
        walk.look(path)
    for order in orders_for(world, who):
        walk.look(f"/board/{order}")
    for path in OWN_PAGES.get(who, ()):
        walk.look(path.format(load=world.load, webhook=world.webhook))
    if who == "operator":
        walk.look(f"/mail/{world.mails['order_placed']}")
        for mail in world.mails.values():
            walk.read(f"/mail/{mail}/html")


def as_one_who_errs(walk: Round, world: World) -> None:
    """Forms that are shown again with what is wrong, and pages that say why there is no other."""
    walk.begin(None)
    walk.look("/nothing-here", 404)
    walk.look("/order?dealership=northside").locator("input[name=email]").fill("no address")
    walk.send("form[action='/order'] button.place.wide")
    walk.look("/login").locator("input[name=email]").fill("nobody@example.com")
    walk.page.locator("input[name=password]").fill("wrong")
    walk.send("main form button")
    walk.begin("dealer@northside")
    walk.look("/queues", 403)
    walk.look("/webhooks").locator("input[name=url]").fill("http://no-tls.example")
    walk.send("form[action='/webhooks'] button")
    walk.look("/account").locator("input[name=current]").fill("wrong")
    walk.send("form[action='/account/password'] button")


def orders_for(world: World, who: str) -> list[str]:
    """Those that have something for this person on their pages; all of them for the administrator."""
    states = [state for state in world.orders if state != "received"] if who == "admin" else THEIRS[who]
    return [world.orders[state]["id"] for state in states]


def routes_of_pages() -> list[re.Pattern[str]]:
    """The addresses of all pages that there are."""
    paths = [path for route in pages.ROUTES if "GET" in route.http_methods for path in route.paths]
    assert len(paths) > 20
    return [re.compile(re.sub(r"\{.*?\}", "[^/]+", path)) for path in paths if not NO_PAGES.search(path)]

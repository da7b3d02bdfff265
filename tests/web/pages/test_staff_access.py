"""Whose the staff's pages are, and that nothing is changed by a form that is not ours."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dealerflow.web.pages import (
    account,
    board,
    figures,
    incoming,
    lines,
    loads,
    mail,
    queues,
    staff_order,
    webhooks,
)
from tests.web.api.life import placed
from tests.web.harness import Client
from tests.web.pages.conftest import PersonOf

MODULES = (account, board, figures, incoming, lines, loads, mail, queues, staff_order, webhooks)
EVERYBODY = (
    "dealer@northside",
    "production",
    "line-a",
    "quality",
    "delivery",
    "head1",
    "operator",
    "admin",
)
OPEN_TO = {
    "/board": EVERYBODY,
    "/account": EVERYBODY,
    "/incoming": ("dealer@northside",),
    "/lines": ("production", "line-a", "head1", "admin"),
    "/loads": ("delivery",),
    "/queues": ("operator",),
    "/mail": ("operator",),
    "/figures": ("head1", "admin"),
    "/webhooks": ("dealer@northside", "operator", "admin"),
}


@pytest.mark.parametrize("who", EVERYBODY)
def test_a_page_opens_for_its_roles_and_for_no_others(person: PersonOf, who: str) -> None:
    visitor = person(who)
    found = {path: visitor.get(path).status for path in OPEN_TO}
    assert found == {path: 200 if who in roles else 403 for path, roles in OPEN_TO.items()}


@pytest.mark.parametrize("who", EVERYBODY)
def test_the_navigation_shows_only_pages_that_open(person: PersonOf, who: str) -> None:
    visitor = person(who)
    shown = {link for link in visitor.get("/board").links if link in OPEN_TO}
    assert shown <= {path for path, roles in OPEN_TO.items() if who in roles}
    assert {path for path, roles in OPEN_TO.items() if who in roles} - {"/webhooks"} == shown


def test_who_is_not_logged_in_is_sent_to_log_in(person: PersonOf) -> None:
    stranger = person(None)
    for path in (*OPEN_TO, "/board/ord_1", "/queues/orders", "/mail/mal_1", "/loads/lod_1"):
        answer = stranger.get(path).answer
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


def posting_routes() -> list[str]:
    routes: list[Any] = [route for module in MODULES for route in module.ROUTES]
    return sorted(path for route in routes if "POST" in route.http_methods for path in route.paths)


def test_a_form_without_its_token_changes_nothing(person: PersonOf) -> None:
    routes = posting_routes()
    assert len(routes) >= 20
    for who in ("admin", "operator", "dealer@northside", "delivery"):
        visitor = person(who)
        for path in routes:
            refused = visitor.send(re.sub(r"{.*?}", "x", path), [("csrf_token", "wrong")])
            assert refused.status == 403, f"{path} as {who}"
            assert "out of date" in refused.text


def test_an_order_of_another_dealership_does_not_exist(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    stranger, owner = person("dealer@harbour"), person("dealer@northside")
    assert owner.get(f"/board/{order}").status == 200
    assert stranger.get(f"/board/{order}").status == 404
    assert order not in stranger.get("/board?view=all").html
    token = dict(stranger.get("/board").form("/logout").fields)["csrf_token"]
    for what in ("decisions", "payments", "link"):
        refused = stranger.send(
            f"/board/{order}/{what}", [("csrf_token", token), ("outcome", "accept"), ("step", "x")]
        )
        assert refused.status == 404
    assert anyone.as_("admin").get(f"/api/v1/orders/{order}").json()["state"] == "order_placed"


def test_how_to_reach_the_customer_is_for_those_who_need_it(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    for who, sees in (("dealer@northside", True), ("delivery", True), ("quality", False), ("line-a", False)):
        page = person(who).get(f"/board/{order}")
        assert ("ana@example.com" in page.html) is sees, who
        assert "Ana Núñez" in page.text

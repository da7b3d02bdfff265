from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qsl

import pytest

from dealerflow.web.pages.assets import assets
from dealerflow.web.pages.frame import preferred
from dealerflow.web.pages.login import own_address
from dealerflow.web.security import CONTENT_SECURITY_POLICY
from tests.web.harness import Client
from tests.web.outages import without_database
from tests.web.pages.visitor import Visitor

PUBLIC_PAGES = ["/", "/order", "/login", "/nothing-here"]
MOST_BYTES = 100_000  # of a page with all that it loads


@pytest.mark.parametrize("address", PUBLIC_PAGES)
def test_a_page_keeps_to_its_content_security_policy(visitor: Visitor, address: str) -> None:
    page = visitor.get(address)
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page.text)


@pytest.mark.parametrize("address", PUBLIC_PAGES)
def test_a_page_and_all_that_it_loads_is_small_and_comes_from_here(visitor: Visitor, address: str) -> None:
    page = visitor.get(address)
    loaded = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.text))
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text)
    assert len(page.content) + sum(len(visitor.get(file).content) for file in loaded) <= MOST_BYTES


def test_a_file_is_kept_by_browsers_until_it_changes(visitor: Visitor) -> None:
    now = visitor.get(assets().url("base.css"))
    assert now.headers["content-type"].startswith("text/css")
    assert now.headers["cache-control"] == "public, max-age=31536000, immutable"
    older = visitor.get("/static/0123456789ab/base.css")
    assert (older.content, older.headers["cache-control"]) == (now.content, "no-cache")


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fapp.py", "%2e%2e%2fapp.py"])
def test_only_what_is_meant_to_be_seen_is_a_file(visitor: Visitor, name: str) -> None:
    assert visitor.get(f"/static/{assets().version}/{name}").status_code == 404


def test_a_page_holds_nothing_that_browsers_may_keep(visitor: Visitor) -> None:
    assert visitor.get("/order").headers["cache-control"] == "no-store"


# --- languages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("fr, es;q=0.3, en;q=0.6", "en"),
        ("de", "en"),
        ("es;q=nonsense", "en"),
    ],
)
def test_a_page_is_in_the_language_that_the_browser_likes_best(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_language_that_was_chosen_is_kept(visitor: Visitor) -> None:
    assert '<html lang="es">' in visitor.get("/?lang=es").text
    assert '<html lang="es">' in visitor.get("/login").text
    assert '<html lang="en">' in visitor.get("/login?lang=en").text


def test_an_unknown_language_changes_nothing(visitor: Visitor) -> None:
    assert '<html lang="en">' in visitor.get("/?lang=xx").text


def test_the_other_language_of_a_page_is_the_same_page(visitor: Visitor) -> None:
    page = visitor.get("/login?next=/lines&email=a&email=b").text
    (address,) = re.findall(r'href="([^"]+)" lang="es"', page)
    path, _, query = unescape(address).partition("?")
    assert path == "/login"
    assert sorted(parse_qsl(query)) == [("email", "a"), ("email", "b"), ("lang", "es"), ("next", "/lines")]


def test_the_other_language_of_a_page_that_answers_a_form_is_a_page_too(visitor: Visitor) -> None:
    page = visitor.get("/order?dealership=harbour&model=solano&trim=cross&options=tow-bar")
    answer = visitor.fill(page, "/order", {"name": ""})
    (address,) = re.findall(r'href="([^"]+)" lang="es"', answer.text)
    other = visitor.get(unescape(address))
    assert other.status_code == 200
    assert '<html lang="es">' in other.text
    assert re.search(r'id="trim-cross"[^>]* checked', other.text)


# --- forms -------------------------------------------------------------------------------------------------------------


def test_a_form_of_nobody_we_know_is_refused(visitor: Visitor) -> None:
    assert visitor.send("/order", {"name": "Ana"}).status_code == 403


def test_a_form_without_its_token_is_refused(visitor: Visitor) -> None:
    page = visitor.get("/order")
    refused = visitor.fill(page, "/order", {"csrf_token": None})
    assert refused.status_code == 403
    assert "This form is out of date" in refused.text


def test_a_token_of_another_visitor_does_not_count(visitor: Visitor) -> None:
    page = visitor.get("/login")
    visitor.http.cookies.clear()
    visitor.get("/login")
    assert visitor.fill(page, "/login").status_code == 403


def test_a_form_of_another_session_is_said_to_be_out_of_date(visitor: Visitor) -> None:
    visitor.log_in("admin@factory.example")
    page = visitor.get("/account")
    visitor.fill(page, "/logout")
    visitor.log_in("operator@factory.example")
    refused = visitor.fill(page, "/account/password")
    assert refused.status_code == 403
    assert "Somebody has logged in or out" in refused.text


def test_the_order_page_stays_good_when_staff_log_in_beside_it(visitor: Visitor) -> None:
    page = visitor.get("/order?dealership=northside")
    visitor.log_in("operator@factory.example")
    answer = visitor.fill(page, "/order", {"name": "Ana", "email": "ana@example.com"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/orders/")


def test_a_form_sent_from_another_site_is_refused(visitor: Visitor) -> None:
    page = visitor.get("/order")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    assert visitor.send("/order", {"csrf_token": token}, sec_fetch_site="cross-site").status_code == 403


def test_every_form_that_posts_carries_a_token(visitor: Visitor) -> None:
    visitor.log_in("dealer@northside.example")
    for address in ("/board", "/incoming", "/account"):
        page = visitor.get(address).text
        posts = re.findall(r'<form[^>]*method="post"', page)
        assert len(posts) == page.count('name="csrf_token"') > 0


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join(b"a=1" for _ in range(400))])
def test_a_form_that_cannot_be_read_is_a_page_that_says_so(visitor: Visitor, body: bytes) -> None:
    headers = {**visitor.headers, "Content-Type": "application/x-www-form-urlencoded"}
    answer = visitor.http.post("/order", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")


def test_a_form_that_is_too_large_is_a_page_that_says_so(visitor: Visitor) -> None:
    answer = visitor.fill(visitor.get("/order"), "/order", {"note": "x" * 200_000})
    assert answer.status_code == 413
    assert "That is too much at once" in answer.text


# --- problems ----------------------------------------------------------------------------------------------------------


def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(visitor: Visitor) -> None:
    page = visitor.get("/nothing-here")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    problem = visitor.get("/nothing-here", accept="application/json")
    assert problem.headers["content-type"].startswith("application/problem+json")
    api = visitor.get("/api/v1/nothing-here")
    assert api.headers["content-type"].startswith("application/problem+json")


def test_a_wrong_method_is_a_page_for_people(visitor: Visitor) -> None:
    answer = visitor.send("/", {})
    assert answer.status_code == 405
    assert answer.headers["content-type"].startswith("text/html")
    assert "GET" in answer.headers["allow"]


def test_a_page_that_needs_the_database_asks_to_come_back_while_it_is_away(anyone: Client) -> None:
    visitor = Visitor(anyone)
    visitor.log_in("dealer@northside.example")
    with without_database(anyone):
        answer = visitor.get("/board")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert "Please come back in a moment" in answer.text


def test_a_flash_that_is_none_of_ours_is_ignored(visitor: Visitor) -> None:
    for value in ("nonsense", "eyJrZXkiOiAibm9uZSJ9", "e30="):
        visitor.http.cookies.set("dealerflow_said", value, domain="dealerflow.test")
        assert visitor.get("/").status_code == 200


# --- logging in --------------------------------------------------------------------------------------------------------


def test_logging_in_leads_to_the_work_and_out_again(visitor: Visitor) -> None:
    answer = visitor.log_in("quality@factory.example")
    assert (answer.status_code, answer.headers["location"]) == (303, "/board")
    board = visitor.get("/board")
    assert "Quentin Moreau" in board.text
    session = visitor.http.cookies["dealerflow_session"]
    home = visitor.follow(visitor.fill(board, "/logout"))
    assert "You are logged out." in home.text
    visitor.http.cookies.set("dealerflow_session", session, domain="dealerflow.test")
    assert visitor.get("/board").headers["location"] == "/login?next=%2Fboard"


def test_who_is_not_logged_in_is_led_to_the_login_and_back(visitor: Visitor) -> None:
    to_login = visitor.get("/lines")
    assert to_login.headers["location"] == "/login?next=%2Flines"
    page = visitor.follow(to_login)
    answer = visitor.fill(page, "/login", {"email": "production@factory.example", "password": "demo"})
    assert answer.headers["location"] == "/lines"


@pytest.mark.parametrize(
    ("email", "password"),
    [("dealer@northside.example", "wrong"), ("nobody@example.com", "demo"), ("", ""), ("a" * 300, "b" * 300)],
)
def test_a_failed_login_says_the_same_whatever_was_wrong(visitor: Visitor, email: str, password: str) -> None:
    answer = visitor.log_in(email, password)
    assert answer.status_code in {401, 422}
    assert "The e-mail address or the password is wrong." in answer.text
    assert "dealerflow_session" not in visitor.http.cookies


def test_guessing_passwords_ends_with_a_pause(visitor: Visitor) -> None:
    answers = [visitor.log_in("dealer@northside.example", f"guess {number}") for number in range(11)]
    assert {answer.status_code for answer in answers[:10]} == {401}
    assert answers[10].status_code == 429
    assert "Please wait" in answers[10].text
    assert int(answers[10].headers["Retry-After"]) > 0


def test_a_login_takes_the_place_of_the_one_before(visitor: Visitor) -> None:
    visitor.log_in("dealer@northside.example")
    first = visitor.http.cookies["dealerflow_session"]
    page = visitor.get("/board")
    visitor.fill(page, "/logout")
    visitor.log_in("dealer@harbour.example")
    assert visitor.http.cookies["dealerflow_session"] != first
    assert "Hugo Marín" in visitor.get("/board").text


@pytest.mark.parametrize(
    ("address", "led_to"),
    [
        ("/board/ord_1?x=1", "/board/ord_1?x=1"),
        ("", "/board"),
        ("/", "/board"),
        ("//elsewhere.example", "/board"),
        ("/\\elsewhere.example", "/board"),
        ("https://elsewhere.example", "/board"),
        ("/board\r\nSet-Cookie: a=b", "/board"),
    ],
)
def test_a_login_never_leads_to_another_site(address: str, led_to: str) -> None:
    assert own_address(address) == led_to


def test_who_is_logged_in_is_led_to_an_address_in_any_script(visitor: Visitor) -> None:
    visitor.log_in("dealer@northside.example")
    assert visitor.get("/login?next=/board?q=%E2%82%AC").headers["location"] == "/board?q=%E2%82%AC"
    assert visitor.get("/orders/%E2%82%AC").headers["location"] == "/board/%E2%82%AC"


def test_a_login_leads_back_to_what_was_asked_for_with_its_filters(visitor: Visitor) -> None:
    page = visitor.get("/board?state=order_placed&q=%C3%81lvaro&lang=en")
    asked = parse_qsl(page.headers["location"].partition("?")[2])
    assert asked == [("next", "/board?state=order_placed&q=%C3%81lvaro")]


def test_the_start_page_is_for_those_who_are_not_logged_in(visitor: Visitor) -> None:
    assert "Order a car" in visitor.get("/").text
    visitor.log_in("admin@factory.example")
    assert visitor.get("/").headers["location"] == "/board"

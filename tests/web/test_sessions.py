from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from httpx import Response

from dealerflow.adapters.database.tables import accounts, sessions
from dealerflow.application.access import FAILED_TRIES, IDLE_MS, LONGEST_MS, TRIES_WITHIN_MS
from tests.web.harness import PASSWORD, Client, address

ME = "/api/v1/me"


def log_in(client: Client, who: str = "operator", password: str = PASSWORD) -> Response:
    return client.post("/api/v1/sessions", {"email": address(who), "password": password})


def change_account(client: Client, **values: Any) -> None:
    with client.system.engine.begin() as connection:
        connection.execute(sa.update(accounts).where(accounts.c.email == address("operator")).values(values))


def test_a_login_opens_a_session_that_scripts_of_a_page_cannot_read(anyone: Client) -> None:
    answer = log_in(anyone)
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert anyone.get(ME).json()["email"] == "operator@factory.example"


def test_the_session_is_stored_as_a_hash_only(anyone: Client) -> None:
    log_in(anyone)
    held = anyone.http.cookies["dealerflow_session"]
    with anyone.system.engine.begin() as connection:
        (stored,) = connection.execute(sa.select(sessions.c.id)).scalars()
    assert held not in stored


def test_whatever_is_wrong_with_a_login_the_answer_is_the_same(anyone: Client) -> None:
    wrong_password = log_in(anyone, "operator", "wrong")
    unknown = log_in(anyone, "nobody", "demo")
    change_account(anyone, active=False)
    closed = log_in(anyone)
    assert wrong_password.status_code == unknown.status_code == closed.status_code == 401
    assert wrong_password.json() == unknown.json() == closed.json()
    assert "set-cookie" not in unknown.headers


def test_the_case_of_an_address_does_not_matter(anyone: Client) -> None:
    answer = anyone.post("/api/v1/sessions", {"email": " Operator@Factory.Example ", "password": PASSWORD})
    assert answer.status_code == 204


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/email", "/password"}),
        ({"email": 1, "password": ""}, {"/email", "/password"}),
        ({"email": "a@b.example", "password": "x", "admin": True}, {"/admin"}),
    ],
)
def test_a_login_form_that_is_wrong_is_422(anyone: Client, body: Any, pointers: set[str]) -> None:
    answer = anyone.post("/api/v1/sessions", body)
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers


def test_another_sites_form_cannot_log_a_browser_in(anyone: Client) -> None:
    body = {"email": address("operator"), "password": PASSWORD}
    assert anyone.post("/api/v1/sessions", body, Content_Type="text/plain").status_code == 415
    assert anyone.post("/api/v1/sessions", body, Sec_Fetch_Site="cross-site").status_code == 403


def test_a_login_ends_the_session_that_the_browser_had(anyone: Client) -> None:
    log_in(anyone)
    first = anyone.http.cookies["dealerflow_session"]
    log_in(anyone)
    assert anyone.http.cookies["dealerflow_session"] != first
    anyone.http.cookies.set("dealerflow_session", first, domain="dealerflow.test")
    assert anyone.http.get(ME, headers={"Cookie": f"dealerflow_session={first}"}).status_code == 401


def test_a_logout_ends_the_session_on_the_server(anyone: Client) -> None:
    token = log_in(anyone).headers["x-csrf-token"]
    held = anyone.http.cookies["dealerflow_session"]
    assert anyone.delete("/api/v1/sessions", X_CSRF_Token=token).status_code == 204
    assert anyone.http.get(ME, headers={"Cookie": f"dealerflow_session={held}"}).status_code == 401


def test_nobody_is_401(anyone: Client) -> None:
    answer = anyone.get(ME)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_bearer_token_needs_no_form_token(anyone: Client) -> None:
    operator = anyone.as_("operator")
    assert operator.get(ME).json()["csrf_token"] is None
    assert operator.post("/api/v1/queues/orders/pause").status_code == 200


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer x", "Bearer dft_x.y", "nonsense", ""])
def test_credentials_that_are_void_are_401(anyone: Client, header: str) -> None:
    assert anyone.get(ME, Authorization=header).status_code == 401


def test_credentials_that_are_void_are_401_even_beside_a_session(anyone: Client) -> None:
    log_in(anyone)
    assert anyone.get(ME, Authorization="Bearer x").status_code == 401


def test_every_route_that_changes_something_asks_a_session_for_its_form_token(anyone: Client) -> None:
    token = log_in(anyone).headers["x-csrf-token"]
    assert anyone.get(ME).json()["csrf_token"] == token
    document = anyone.get("/openapi.json").json()
    asked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "get" or {"session": []} not in operation["security"]:
                continue
            url = path.replace("{", "").replace("}", "")
            asked += 1
            for forged in ({}, {"X-CSRF-Token": "x"}):
                answer = anyone.http.request(method, url, headers=forged, content=b"{}")
                assert answer.status_code == 403, (method, path)
            good = anyone.http.request(method, url, headers={"X-CSRF-Token": token}, content=b"{}")
            assert good.status_code != 403 or "form is out of date" not in good.text
            if method == "delete" and path.endswith("/sessions"):
                token = log_in(anyone).headers["x-csrf-token"]
    assert asked >= 5


def test_a_form_token_is_good_for_its_session_only(anyone: Client) -> None:
    old = log_in(anyone).headers["x-csrf-token"]
    log_in(anyone)
    assert anyone.post("/api/v1/queues/orders/pause", X_CSRF_Token=old).status_code == 403


def test_another_sites_page_cannot_use_a_session(anyone: Client) -> None:
    token = log_in(anyone).headers["x-csrf-token"]
    answer = anyone.post("/api/v1/queues/orders/pause", X_CSRF_Token=token, Sec_Fetch_Site="cross-site")
    assert answer.status_code == 403


def test_a_raised_epoch_voids_tokens_and_sessions(anyone: Client) -> None:
    operator = anyone.as_("operator")
    log_in(anyone)
    change_account(anyone, epoch=1)
    assert operator.get(ME).status_code == 401
    assert anyone.get(ME).status_code == 401
    assert anyone.as_("operator").get(ME).status_code == 200


def test_a_closed_account_is_out_at_once(anyone: Client) -> None:
    operator = anyone.as_("operator")
    log_in(anyone)
    change_account(anyone, active=False)
    assert operator.get(ME).status_code == 401
    assert anyone.get(ME).status_code == 401


def test_a_session_that_is_not_used_ends(anyone: Client) -> None:
    log_in(anyone)
    anyone.system.clock.pass_ms(IDLE_MS)
    assert anyone.get(ME).status_code == 401


def test_a_session_in_use_lasts_until_it_is_old(anyone: Client) -> None:
    log_in(anyone)
    lasted = 0
    while anyone.get(ME).status_code == 200:
        anyone.system.clock.pass_ms(IDLE_MS // 2)
        lasted += IDLE_MS // 2
    assert lasted == LONGEST_MS


def test_ended_sessions_are_forgotten(anyone: Client) -> None:
    log_in(anyone)
    anyone.system.clock.pass_ms(IDLE_MS)
    assert anyone.system.web.access.forget_ended() == 1


def test_a_flood_of_wrong_passwords_is_429_and_then_over(anyone: Client) -> None:
    for _ in range(FAILED_TRIES):
        assert log_in(anyone, "operator", "wrong").status_code == 401
    flooded = log_in(anyone)
    assert flooded.status_code == 429
    assert 0 < int(flooded.headers["retry-after"]) <= TRIES_WITHIN_MS // 1000 + 1
    assert log_in(anyone, "admin").status_code == 204
    anyone.system.clock.pass_ms(TRIES_WITHIN_MS)
    assert log_in(anyone).status_code == 204


def test_an_unknown_address_is_held_up_like_a_known_one(anyone: Client) -> None:
    statuses = [log_in(anyone, "nobody", "x").status_code for _ in range(FAILED_TRIES + 1)]
    assert statuses == [401] * FAILED_TRIES + [429]


def test_an_address_that_tries_many_accounts_is_held_up(anyone: Client) -> None:
    statuses = [log_in(anyone, f"guess{number}", "x").status_code for number in range(70)]
    assert statuses[-1] == 429
    assert statuses.count(401) == 60

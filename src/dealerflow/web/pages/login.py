"""Logging in and out."""

from __future__ import annotations

import msgspec

from dealerflow.application.access import LONGEST_PASSWORD
from dealerflow.domain.errors import TooManyTries, Unauthenticated, Unavailable
from dealerflow.web import auth
from dealerflow.web.api.sessions import no_session_cookie, session_cookie_for
from dealerflow.web.pages.frame import HtmlResponse, Visit, get, post
from dealerflow.web.system import DemoAccount

AFTER_LOGIN = "/board"


class LoginPage(msgspec.Struct, frozen=True, kw_only=True):
    """The form. `to` is where it leads; `said` is why it did not."""

    email: str
    to: str
    said: str | None = None
    demo: tuple[DemoAccount, ...] = ()


@get("/login")
def login_page(visit: Visit) -> HtmlResponse:
    """The form. `?email=` fills it in (the demo's accounts are linked so)."""
    to = own_address(visit.request.query_params.get("next", ""))
    if visit.account is not None:
        return visit.go(to)
    return _show(visit, visit.request.query_params.get("email", ""), to)


@post("/login")
def log_in(visit: Visit) -> HtmlResponse:
    """Open a session; another one of this browser ends."""
    email, to = visit.fields.text("email"), own_address(visit.fields.text("next"))
    password, access, t = visit.fields.raw("password"), visit.system.access, visit.texts
    if not email or visit.fields.has_signs("email") or not password or len(password) > LONGEST_PASSWORD:
        return _show(visit, email, to, t("login.wrong"), status=422)
    address = visit.request.client.host if visit.request.client else ""
    try:
        login = access.login(email, password, address)
    except Unauthenticated:
        return _show(visit, email, to, t("login.wrong"), status=401)
    except TooManyTries as error:
        minutes = max(1, round(error.retry_after_s / 60))
        said = t.count("login.too_often", minutes)
        return _show(visit, email, to, said, status=429, retry_after_s=error.retry_after_s)
    except Unavailable as error:
        return _show(visit, email, to, t("login.busy"), status=503, retry_after_s=error.retry_after_s)
    if (old := auth.session_cookie(visit.request)) is not None:
        access.logout(old)
    visit.add_cookie(session_cookie_for(visit.system, login))
    return visit.go(to)


@post("/logout")
def log_out(visit: Visit) -> HtmlResponse:
    """End the session on the server."""
    if (raw := auth.session_cookie(visit.request)) is not None:
        visit.system.access.logout(raw)
    visit.add_cookie(no_session_cookie(visit.system))
    return visit.go("/", say="logged_out")


def own_address(address: str) -> str:
    """The address, if it is a page of ours: nobody is led elsewhere by a link to the login."""
    ours = (
        address.startswith("/")
        and not address.startswith("//")
        and "\\" not in address
        and address.isprintable()
    )
    return address if ours and address != "/" else AFTER_LOGIN


def _show(
    visit: Visit,
    email: str,
    to: str,
    said: str | None = None,
    *,
    status: int = 200,
    retry_after_s: int | None = None,
) -> HtmlResponse:
    view = LoginPage(email=email[:254], to=to, said=said, demo=visit.system.demo_accounts)
    answer = visit.show("login.html", view, status=status)
    if retry_after_s is not None:
        answer.headers["Retry-After"] = str(retry_after_s)
    return answer


ROUTES = (login_page, log_in, log_out)

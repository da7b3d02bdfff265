"""Logging in and out with a session cookie, and who one is."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response
from litestar.datastructures import Cookie
from litestar.params import RawBody
from msgspec import Meta

from dealerflow.application.access import LONGEST_PASSWORD, Login, require
from dealerflow.domain.errors import UnsupportedMedia
from dealerflow.domain.people import Membership
from dealerflow.web.auth import (
    FORM_TOKEN_HEADER,
    caller_of,
    refuse_cross_site,
    session_cookie,
    session_cookie_name,
)
from dealerflow.web.body import JSON, read_form, respond
from dealerflow.web.routes import ACCOUNT, ANYONE, delete, get, post
from dealerflow.web.system import HttpRequest, WebSystem, system_of


class LoginForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The e-mail address and password of an account."""

    email: Annotated[str, Meta(min_length=1, max_length=254)]
    password: Annotated[str, Meta(min_length=1, max_length=LONGEST_PASSWORD)]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The account that is calling. `csrf_token` is sent back with whatever a session changes; null for a bearer token."""

    id: str
    email: str
    name: str
    language: str
    memberships: tuple[Membership, ...]
    csrf_token: str | None


@post(
    "/sessions",
    form=LoginForm,
    answers={204: None},
    errors=(401, 403, 415, 429),
    access=ANYONE,
    repeatable=False,
)
def log_in(request: HttpRequest, body: RawBody) -> Response[bytes]:
    """Log in: sets the session cookie, and gives the token for forms in X-CSRF-Token. Another session of this browser ends."""
    refuse_cross_site(request)
    if request.content_type[0] != JSON:
        # A form of another site can send JSON, but not under this name, without asking first.
        raise UnsupportedMedia(f"send {JSON}")
    form = read_form(LoginForm, body)
    system = system_of(request)
    login = system.access.login(form.email, form.password, request.client.host if request.client else "")
    if (old := session_cookie(request)) is not None:
        system.access.logout(old)
    response = respond(None, status=204, headers={FORM_TOKEN_HEADER: system.access.form_token(login.session)})
    response.set_cookie(session_cookie_for(system, login))
    return response


@delete("/sessions", answers={204: None}, errors=(), access=ACCOUNT)
def log_out(request: HttpRequest) -> Response[bytes]:
    """Log out: the session ends on the server."""
    require(caller_of(request))
    system = system_of(request)
    if (raw := session_cookie(request)) is not None:
        system.access.logout(raw)
    response = respond(None, status=204)
    response.set_cookie(no_session_cookie(system))
    return response


@get("/me", answers={200: Me}, access=ACCOUNT)
def me(request: HttpRequest) -> Response[bytes]:
    """The account that is calling, with its roles."""
    account = require(caller_of(request))
    raw = session_cookie(request) if "authorization" not in request.headers else None
    return respond(
        Me(
            id=account.id,
            email=account.email,
            name=account.name,
            language=account.language,
            memberships=account.memberships,
            csrf_token=system_of(request).access.form_token(raw) if raw else None,
        )
    )


def session_cookie_for(system: WebSystem, login: Login) -> Cookie:
    """The cookie of a session. It ends with the browser; the server ends it earlier."""
    return _cookie(system, login.session, max_age=None)


def no_session_cookie(system: WebSystem) -> Cookie:
    """Takes the cookie away."""
    return _cookie(system, "", max_age=0)


def _cookie(system: WebSystem, value: str, max_age: int | None) -> Cookie:
    return Cookie(
        key=session_cookie_name(https=system.is_https),
        value=value,
        path="/",
        max_age=max_age,
        httponly=True,
        secure=system.is_https,
        samesite="lax",
    )


ROUTES = (log_in, log_out, me)

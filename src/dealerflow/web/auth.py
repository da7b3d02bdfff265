"""Who is calling: a bearer token, a session cookie (with the form token on whatever changes something), or a customer's key."""

from __future__ import annotations

from dealerflow.domain.errors import Forbidden, NotFound, Unauthenticated
from dealerflow.domain.people import Account, Caller
from dealerflow.web.system import HttpRequest, WebSystem, system_of

FORM_TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 - a header's name
FORM_TOKEN_FIELD = "csrf_token"  # noqa: S105 - a field's name
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
KEY = "key"


def caller_of(request: HttpRequest, order_id: str | None = None) -> Caller:
    """Who sends this request about this order (None: about no order in particular).

    Raises Unauthenticated for a token that is void, Forbidden for a cookie without its form token on an unsafe method, and
    NotFound for a key that is not the order's. With a key the cookie is left aside. Whether the link still counts is checked
    with the order (`Caller.link_number`). Raises Outage when the database is away and an account has to be looked up.
    """
    system = system_of(request)
    key = request.query_params.get(KEY)
    bearer = _bearer(request)
    account = None
    if bearer is not None:
        account = system.access.of_token(bearer)
        if account is None:
            raise Unauthenticated("this token is void; make a new one with: dealerflow token ACCOUNT")
    elif key is None:
        account = session_account(request)
    if key is None or order_id is None:
        return Caller(account=account)
    return Caller(account=account, customer_of=order_id, link_number=_link(system, order_id, key))


def session_account(request: HttpRequest, form_token: str | None = None) -> Account | None:
    """Whose session the cookie names; None without one, or when it is over.

    `form_token` is the field of a page's form; without it the header is looked at. Raises Forbidden where it is missing.
    """
    raw = session_cookie(request)
    if raw is None:
        return None
    system = system_of(request)
    account = system.access.of_session(raw)
    if account is not None and request.method not in SAFE_METHODS:
        check_form_token(request, raw, form_token)
    return account


def check_form_token(request: HttpRequest, bound_to: str, form_token: str | None = None) -> None:
    """Raises Forbidden unless the request carries the token that was given to this session or visitor."""
    given = form_token if form_token is not None else request.headers.get(FORM_TOKEN_HEADER, "")
    refuse_cross_site(request)
    if not system_of(request).access.form_token_holds(bound_to, given):
        raise Forbidden(
            f"the form is out of date, or came from elsewhere: send {FORM_TOKEN_HEADER} as GET /api/v1/me gives it"
        )


def refuse_cross_site(request: HttpRequest) -> None:
    """Raises Forbidden if the browser says that another site's page makes this request."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("this cannot be asked for from another site's page")


def session_cookie_name(*, https: bool) -> str:
    """Browsers take a name with __Host- only over TLS and for this host alone."""
    return "__Host-dealerflow" if https else "dealerflow_session"


def session_cookie(request: HttpRequest) -> str | None:
    """What the browser holds of its session."""
    return request.cookies.get(session_cookie_name(https=system_of(request).is_https)) or None


def _bearer(request: HttpRequest) -> str | None:
    """The bearer token. Raises Unauthenticated for credentials of another kind."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("send the token as: Authorization: Bearer …")
    return token.strip()


def _link(system: WebSystem, order_id: str, key: str) -> int:
    number = system.links.check(order_id, key)
    if number is None:
        raise NotFound(f"there is no order {order_id}, or this is not its key")
    return number

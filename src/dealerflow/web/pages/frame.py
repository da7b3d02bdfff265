"""What every page rests on. How to add a page:

    class BoardView(msgspec.Struct, frozen=True, kw_only=True):
        \"\"\"What the template prints: values only, in the reader's language.\"\"\"

    @get("/board")
    def board(visit: Visit) -> HtmlResponse:
        account = visit.require("dealer", "line_lead")        # none named: whoever is logged in; sends others to /login
        view = BoardView(…)                                   # from visit.system.queries or a use case, for visit.reader
        return visit.show("board.html", view, place="board")  # `place` is the navigation's entry that is marked

    @post("/board/{order_id:str}/decisions")
    def decide(visit: Visit, order_id: str) -> HtmlResponse:
        reason = visit.fields.text("reason")                  # the form token was checked before
        with visit.system.database.begin() as work: …         # the same use cases as the API, then:
        visit.system.ring()
        return visit.go("/board", say="board.decided", order=order_id)

    ROUTES = (board, decide)                                  # and name the module in pages/__init__.py

* A template (web/templates) extends `base.html`, fills the blocks `title` and `main`, and prints `view`. It finds there:
  `t("key", …)` and `t.count("key", n)` for texts (texts/*_en.toml and *_es.toml, every key in both), `f.money(money)`,
  `f.time(at)`, `f.day(at)`, `asset("staff.css")`, and the macros of `_parts.html`: `field`, `badge`, `notice`, `empty`,
  `csrf()` (which every POST form needs; `visitor_csrf()` one that is anybody's). It has no words of its own, no style and
  no script attributes: the content security policy refuses them. A page's own style sheet or ES module goes into the
  block `head`.
* An error of the core that a handler lets through becomes a page that says so (`problem.html`). What was typed is worth
  keeping: catch Invalid, and show the page again with status 422, `visit.fields`, and
  `errors_by_field(error.faults, {pointer: field})`.
* Handlers are plain functions that run in the thread pool. Everything works without JavaScript; scripts only better it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import re
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency, Provide
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import Method

from dealerflow.application.access import require
from dealerflow.application.queries import Reader
from dealerflow.domain.errors import (
    Conflict,
    DealerflowError,
    Forbidden,
    Invalid,
    NotFound,
    Outage,
    Unauthenticated,
)
from dealerflow.domain.languages import FALLBACK, LANGUAGES
from dealerflow.domain.people import Account, Caller
from dealerflow.web import auth
from dealerflow.web.pages.assets import assets
from dealerflow.web.pages.core_words import faults_in_words, in_words, refusal_in_words
from dealerflow.web.pages.fields import MAX_FORM_BYTES, Fields, fields_of
from dealerflow.web.pages.formats import Formats
from dealerflow.web.pages.navigation import Place, places_for
from dealerflow.web.pages.texts import Texts, texts_in
from dealerflow.web.problems import problem_of
from dealerflow.web.system import HttpRequest, WebSystem, system_of

HtmlResponse = Response[bytes]
Handler = Callable[..., HtmlResponse]
Value = TypeVar("Value")

VISITOR_COOKIE = "dealerflow_visitor"
LANGUAGE_COOKIE = "dealerflow_language"
FLASH_COOKIE = "dealerflow_said"
FLASH_SECONDS = 60
YEAR_SECONDS = 365 * 24 * 60 * 60
SIGNS_OF_AN_ADDRESS = (
    "!#$%&'()*+,/:;=?@[]~"  # RFC 3986: what is written as it is, and what was escaped already
)
SAYS_DETAIL = frozenset({400, 403, 409, 422, 429})  # what the core said is worth reading there


class FormIsOld(Forbidden):
    """This form was not made by us for who sends it."""


class Flash(msgspec.Struct, frozen=True, kw_only=True):
    """What the next page says once: the text `said.<key>` with these facts. `kind`: good, bad or plain."""

    key: str
    kind: str = "good"
    facts: dict[str, str] = {}


class Visit:
    """One request for a page: who asks, in which language, what was sent; and the answer to it."""

    def __init__(self, request: HttpRequest, fields: Fields, loop: asyncio.AbstractEventLoop) -> None:
        self.request = request
        self._loop = loop
        self.fields = fields
        self.database_is_away = False
        self._cookies: list[Cookie] = []

    # --- who asks

    @property
    def system(self) -> WebSystem:
        """The ports and settings."""
        return system_of(self.request)

    @cached_property
    def account(self) -> Account | None:
        """Who is logged in. While the database is away nobody can be known: None, and `database_is_away`."""
        raw = auth.session_cookie(self.request)
        if raw is None:
            return None
        try:
            return self.system.access.of_session(raw)
        except Outage:
            self.database_is_away = True
            return None

    def require(self, *roles: str) -> Account:
        """The account, if it holds one of these roles (none named: any will do).

        Raises Outage, Unauthenticated (the person is sent to log in) or Forbidden.
        """
        account = self.account
        if account is None and self.database_is_away:
            raise Outage
        return require(Caller(account=account), *roles)

    def caller(self, order_id: str | None = None) -> Caller:
        """Who asks about that order: its customer, by `?key=`, or the account. Raises NotFound for a wrong key."""
        key = self.request.query_params.get(auth.KEY)
        if order_id is None or key is None:
            return Caller(account=self.account)
        number = self.system.links.check(order_id, key)
        if number is None:
            raise NotFound(f"there is no order {order_id}, or this is not its key")
        return Caller(customer_of=order_id, link_number=number)

    def reader(self, order_id: str | None = None) -> Reader:
        """As `caller`, with the language of the page."""
        return Reader(caller=self.caller(order_id), language=self.language)

    # --- how it is answered

    @cached_property
    def language(self) -> str:
        """What was chosen with `?lang=` now or earlier; else the account's, else the browser's."""
        query, cookie = self.request.query_params.get("lang"), self.request.cookies.get(LANGUAGE_COOKIE)
        chosen = next((code for code in (query, cookie) if code in LANGUAGES), None)
        if chosen:
            return chosen
        return (
            self.account.language
            if self.account
            else preferred(self.request.headers.get("accept-language", ""))
        )

    @cached_property
    def texts(self) -> Texts:
        """The texts in that language."""
        return texts_in(self.language)

    @property
    def formats(self) -> Formats:
        """Amounts and times in that language."""
        return Formats(self.language, self.zone)

    @cached_property
    def zone(self) -> str:
        """The time zone of the pages: that of a dealer's own dealership, else UTC."""
        own = sorted(self.account.memberships, key=lambda m: m.scope) if self.account else []
        dealerships = [m.scope for m in own if m.role in ("dealer", "dealer_admin") and m.scope]
        return self.zone_of(dealerships[0]) if dealerships else "UTC"

    def zone_of(self, dealership: str) -> str:
        """The time zone of that dealership; UTC while nobody can be asked."""
        try:
            with self.system.database.read() as work:
                return work.people.seller(work.people.dealership(dealership).seller).timezone
        except (Outage, NotFound):
            return "UTC"

    @property
    def visitor(self) -> str:
        """This browser, whoever is logged in with it: a cookie, which the answer sets."""
        return self.request.cookies.get(VISITOR_COOKIE) or self._new_visitor

    @property
    def form_token(self) -> str:
        """What forms send back that are the account's; bound to its session, or to this visitor."""
        return self.system.access.form_token(auth.session_cookie(self.request) or self.visitor)

    @property
    def visitor_token(self) -> str:
        """What forms send back that are anybody's. It outlives logging in and out in another tab."""
        return self.system.access.form_token(self.visitor)

    def check_form(self, *, anybodys: bool = False) -> None:
        """Raises FormIsOld unless the form was made for this person, by us. `anybodys`: for this browser is enough."""
        held = self.request.cookies.get(VISITOR_COOKIE)
        bound_to = held if anybodys else auth.session_cookie(self.request) or held
        if not bound_to:
            raise FormIsOld
        auth.refuse_cross_site(self.request)
        if not self.system.access.form_token_holds(bound_to, self.fields.raw(auth.FORM_TOKEN_FIELD)):
            raise FormIsOld

    def show(
        self,
        template: str,
        view: object = None,
        *,
        status: int = 200,
        place: str | None = None,
        zone: str | None = None,
        address: str | None = None,
    ) -> HtmlResponse:
        """The page. `place` is marked in the navigation; times are shown in `zone` (by default `Visit.zone`).

        `address` is where the page is read, for one that answers a form sent elsewhere.
        """
        flash = self._flash()
        if self.request.query_params.get("lang") in LANGUAGES:
            self.set_cookie(LANGUAGE_COOKIE, self.language, max_age=YEAR_SECONDS)
        content = (
            _environment()
            .get_template(template)
            .render(
                view=view,
                visit=self,
                t=self.texts,
                f=Formats(self.language, zone or self.zone),
                asset=assets().url,
                frame=PageFrame(
                    account=self.account,
                    places=tuple(places_for(self.account)),
                    place=place,
                    flash=flash,
                    languages=tuple((code, self._in_language(code, address)) for code in LANGUAGES),
                ),
            )
        )
        return self._finish(Response(content.encode(), status_code=status, media_type=MediaType.HTML))

    def go(self, url: str, *, say: str | None = None, kind: str = "good", **facts: object) -> HtmlResponse:
        """Send the browser to another page (303), which says the text `said.<say>` once."""
        if say is not None:
            flash = Flash(key=say, kind=kind, facts={name: str(fact) for name, fact in facts.items()})
            packed = base64.urlsafe_b64encode(msgspec.json.encode(flash)).decode()
            self.set_cookie(FLASH_COOKIE, packed, max_age=FLASH_SECONDS)
        location = quote(url, safe=SIGNS_OF_AN_ADDRESS)  # a header holds no other letters than Latin ones
        return self._finish(
            Response(b"", status_code=303, headers={"Location": location}, media_type=MediaType.HTML)
        )

    def wait_for(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        """Let the event loop do something (intake is at home there), and wait for it here, in the thread of this call."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def set_cookie(self, name: str, value: str, *, max_age: int | None = None) -> None:
        """A cookie of ours for the answer, out of reach of scripts."""
        self.add_cookie(
            Cookie(
                key=name,
                value=value,
                path="/",
                max_age=max_age,
                httponly=True,
                secure=self.system.is_https,
                samesite="lax",
            )
        )

    def add_cookie(self, cookie: Cookie) -> None:
        """A cookie for the answer."""
        self._cookies.append(cookie)

    @cached_property
    def _new_visitor(self) -> str:
        visitor = self.system.access.visitor()
        self.set_cookie(VISITOR_COOKIE, visitor)
        return visitor

    def _flash(self) -> Flash | None:
        packed = self.request.cookies.get(FLASH_COOKIE)
        if not packed:
            return None
        self.set_cookie(FLASH_COOKIE, "", max_age=0)
        try:
            flash = msgspec.json.decode(base64.urlsafe_b64decode(packed), type=Flash)
            self.texts(f"said.{flash.key}", **flash.facts)
        except (binascii.Error, ValueError, KeyError, IndexError):
            return None  # no cookie of ours
        return flash

    def _in_language(self, code: str, address: str | None) -> str:
        asked = self.request.query_params.multi_items()
        path, _, query = (address or "").partition("?")
        known = parse_qsl(query) if address else [(name, value) for name, value in asked if name != "lang"]
        return f"{path or quote(self.request.url.path)}?{urlencode([*known, ('lang', code)])}"

    def _finish(self, response: HtmlResponse) -> HtmlResponse:
        for cookie in self._cookies:
            response.set_cookie(cookie)
        return response


class PageFrame(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around each page. `languages` are (code, address of this page in it)."""

    account: Account | None
    places: tuple[Place, ...]
    place: str | None
    flash: Flash | None
    languages: tuple[tuple[str, str], ...]


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, on a page. `detail` is what the core said, where that is worth reading."""

    status: int
    title: str
    text: str
    detail: str | None = None


def get(path: str) -> Callable[[Handler], HTTPRouteHandler]:
    """A page that is read."""
    return _route("GET", path)


def post(path: str) -> Callable[[Handler], HTTPRouteHandler]:
    """Takes a form. Its form token has been checked when the handler is called."""
    return _route("POST", path)


def post_by_anybody(path: str) -> Callable[[Handler], HTTPRouteHandler]:
    """As `post`, a form with `visitor_csrf()`: of a page that asks nothing of the session.

    What is sent to it is done by the customer's key, or by nobody in particular.
    """
    return _route("POST", path, anybodys=True)


def show_problem(visit: Visit, error: DealerflowError) -> HtmlResponse:
    """The page for an error of the core; who is not logged in is sent to log in."""
    if isinstance(error, Unauthenticated):
        return visit.go(f"/login?{urlencode({'next': _read_here(visit.request)})}")
    answer = problem_of(error, visit.request.url.path)
    if isinstance(error, FormIsOld):
        return show_status(visit, answer.status, named="form_is_old")
    detail = _in_words(visit.texts, error) if answer.status in SAYS_DETAIL else None
    response = show_status(visit, answer.status, detail)
    response.headers.update(answer.headers)
    return response


def _read_here(request: HttpRequest) -> str:
    """The address that is read, with what it asks for; of a form that was sent none."""
    if request.method != "GET":
        return "/"
    asked = urlencode([pair for pair in parse_qsl(request.url.query) if pair[0] != "lang"])  # in their order
    return f"{request.url.path}?{asked}" if asked else request.url.path


def _in_words(t: Texts, error: DealerflowError) -> str:
    if isinstance(error, Invalid):
        return " ".join(fault.detail for fault in faults_in_words(t, error.faults))
    return " ".join(refusal_in_words(t, error)) if isinstance(error, Conflict) else in_words(t, error.detail)


def show_status(
    visit: Visit, status: int, detail: str | None = None, *, named: str | None = None
) -> HtmlResponse:
    """The page for an HTTP status; some have words of their own, and `named` problems too."""
    name = named or (str(status) if f"problem.{status}.title" in visit.texts else "other")
    view = ProblemView(
        status=status,
        title=visit.texts(f"problem.{name}.title"),
        text=visit.texts(f"problem.{name}.text"),
        detail=detail,
    )
    return visit.show("problem.html", view, status=status)


def preferred(accept_language: str) -> str:
    """The language of ours that a browser likes best (RFC 9110, 12.5.4)."""
    best, weight = FALLBACK, 0.0
    for part in accept_language[:500].split(","):
        tag, _, parameter = part.strip().partition(";")
        code = tag.strip().lower().partition("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if code in LANGUAGES and quality > weight:
            best, weight = code, quality
    return best


async def visit_of(request: HttpRequest) -> Visit:
    """A visit with the form that was posted, if any. Raises Malformed."""
    fields = fields_of(await request.body()) if request.method == "POST" else Fields()
    return Visit(request, fields, asyncio.get_running_loop())


_PATH_PARAMETER = re.compile(r"\{(\w+):str\}")


def _route(method: Method, path: str, *, anybodys: bool = False) -> Callable[[Handler], HTTPRouteHandler]:
    def declare(function: Handler) -> HTTPRouteHandler:
        @functools.wraps(function)
        def run(visit: Visit, **parameters: Any) -> HtmlResponse:
            try:
                if method == "POST":
                    visit.check_form(anybodys=anybodys)
                return function(visit, **parameters)
            except DealerflowError as error:
                return show_problem(visit, error)

        # Said once here, so that no page has to: where the framework takes what it hands over.
        from_path = dict.fromkeys(_PATH_PARAMETER.findall(path), FromPath[str])
        run.__annotations__ = {**function.__annotations__, "visit": NamedDependency[Visit], **from_path}
        handler = HTTPRouteHandler(
            path,
            http_method=method,
            status_code=200,
            include_in_schema=False,
            sync_to_thread=True,
            media_type=MediaType.HTML,
            dependencies={"visit": Provide(visit_of)},
            request_max_body_size=MAX_FORM_BYTES,
        )
        declared: HTTPRouteHandler = handler(run)
        return declared

    return declare


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("dealerflow.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )

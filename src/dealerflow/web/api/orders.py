"""Orders: looking at them, and deciding what comes next. (`POST /orders` is intake's own.)"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from litestar import Response
from litestar.params import FromPath, RawBody

from dealerflow.application.access import require
from dealerflow.application.calls import Answer, answer
from dealerflow.application.order_views import show_received
from dealerflow.application.orders import DecisionForm, decide, visible
from dealerflow.application.queries import SORTS, OrderFilter, Reader
from dealerflow.application.tracking import renew_link
from dealerflow.application.views import OrderView
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import Conflict, NotFound, Outage, Unavailable
from dealerflow.domain.ids import made_at
from dealerflow.domain.orders import RECEIVED
from dealerflow.domain.people import Caller
from dealerflow.web.auth import caller_of
from dealerflow.web.body import read_form, respond
from dealerflow.web.idempotency import idempotent
from dealerflow.web.paging import choice, text
from dealerflow.web.reading import (
    ListOf,
    accepted_language,
    known_caller,
    page_request,
    reader_of,
    respond_page,
)
from dealerflow.web.routes import KEY, PAGING, Query, get, post
from dealerflow.web.system import HttpRequest, WebSystem, system_of

FILTERS = (
    Query(name="state", text="a state, or several with commas between them"),
    Query(name="dealership", text="a dealership's id"),
    Query(name="line", text="a line's id; with a state in which orders wait for a line: what it can build"),
    Query(name="model", text="a model's code"),
    Query(name="load", text="a load's id"),
    Query(
        name="q",
        text="an order's id or its last six digits, a VIN, or how the customer's name, last name or e-mail address begins",
    ),
    Query(name="sort", text=f"one of {', '.join(SORTS)}"),
)


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The decision is claimed and will be carried out; `state` and `step` are those in which it was taken."""

    id: str
    state: str
    step: str
    outcome: str


class NewLink(msgspec.Struct, frozen=True, kw_only=True):
    """The customer's new link."""

    id: str
    tracking_url: str


@get("/orders/{order_id:str}", answers={200: OrderView}, access=KEY)
def order(request: HttpRequest, order_id: FromPath[str]) -> Response[bytes]:
    """An order with its history, and what the caller may decide now."""
    caller = known_caller(request, order_id)
    return respond(see_order(system_of(request), request, caller, order_id))


def see_order(
    system: WebSystem, request: HttpRequest, caller: Caller, order_id: str, language: str | None = None
) -> OrderView:
    """The order for this caller. With its key it is `received` until it is processed, also while the database is away.

    `language` None: the one that the request asks for.
    """
    tongue = language or accepted_language(request)
    reader = Reader(caller=caller, language=tongue)
    if caller.customer_of != order_id:
        return system.queries.orders.one(reader, order_id)
    try:
        return system.queries.orders.one(reader, order_id)
    except NotFound:
        if caller.link_number != 0:
            raise
        if system.queries.orders.is_stored(order_id):  # it came meanwhile, or else the key is void
            return system.queries.orders.one(reader, order_id)
    except Outage:
        if not _is_spooled(system, order_id):
            raise
    return show_received(order_id, None, tongue)


def _is_spooled(system: WebSystem, order_id: str) -> bool:
    """Whether the order still waits in intake's own store: nothing in there is older than its oldest."""
    taken = made_at(order_id)
    try:
        oldest = system.intake.spool.sent_at(1)
    except Unavailable:
        return False
    return taken is not None and oldest is not None and oldest <= taken


@get("/orders", answers={200: ListOf[OrderView]}, query=(*FILTERS, *PAGING))
def orders(request: HttpRequest) -> Response[bytes]:
    """Orders, without their history. A dealership sees its own.

    By default the newest first; where a state is named, those that wait in it longest.
    """
    caller = caller_of(request)
    require(caller)
    wanted = order_filter(request)
    asked = page_request(request, order=wanted.order, kinds=(int, str))
    page = system_of(request).queries.orders.many(reader_of(request, caller), wanted, asked)
    return respond_page(page, order=wanted.order)


def order_filter(request: HttpRequest) -> OrderFilter:
    """Which orders the query asks for. Raises Malformed."""
    states = text(request, "state") or ""
    return OrderFilter(
        states=tuple(dict.fromkeys(state for state in states.split(",") if state)),
        dealership=text(request, "dealership"),
        line=text(request, "line"),
        model=text(request, "model"),
        load=text(request, "load"),
        q=text(request, "q"),
        sort=choice(request, "sort", SORTS),
    )


@post(
    "/orders/{order_id:str}/decisions", form=DecisionForm, answers={202: Decided}, errors=(409,), access=KEY
)
def decisions(request: HttpRequest, order_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Decide an outcome of the order's step. What is answered with 202 is carried out."""
    caller = known_caller(request, order_id)

    def run(work: UnitOfWork) -> Answer:
        visible(work, caller, order_id)
        form = read_form(DecisionForm, body)
        decided = decide(work, caller, order_id, form)
        return answer(
            202, Decided(id=decided.id, state=decided.state, step=decided.step, outcome=form.outcome)
        )

    return about_order(request, order_id, body, caller, run)


def about_order(
    request: HttpRequest, order_id: str, body: bytes, caller: Caller, run: Callable[[UnitOfWork], Answer]
) -> Response[bytes]:
    """As `idempotent`; tells the customer of an order that is not processed yet to wait."""
    try:
        return idempotent(request, body, caller, run)
    except NotFound:
        if caller.customer_of != order_id or caller.link_number != 0:
            raise
        if system_of(request).queries.orders.is_stored(order_id):  # it came meanwhile, or its key is void
            return idempotent(request, body, caller, run)
        raise Conflict("the order is being processed; try again in a moment", state=RECEIVED) from None


@post("/orders/{order_id:str}/link", answers={200: NewLink}, errors=(404,))
def link(request: HttpRequest, order_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Make a new link for the customer; the old one is void at once. For the dealership and administrators."""
    caller = caller_of(request)
    require(caller)
    system = system_of(request)

    def run(work: UnitOfWork) -> Answer:
        number = renew_link(work, caller, order_id)
        return answer(200, NewLink(id=order_id, tracking_url=system.links.tracking_url(order_id, number)))

    return idempotent(request, body, caller, run)


ROUTES = (order, orders, decisions, link)

"""Loads: cars that leave the plant together."""

from __future__ import annotations

import msgspec
from litestar import Response
from litestar.params import FromPath, RawBody

from dealerflow.application.access import require
from dealerflow.application.calls import Answer, answer
from dealerflow.application.records import Load
from dealerflow.application.shipping import LoadForm, change_load, depart, make_load
from dealerflow.application.views import LoadView, moment, moment_or_none
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.people import Caller
from dealerflow.web.auth import caller_of
from dealerflow.web.body import read_form, respond
from dealerflow.web.idempotency import idempotent
from dealerflow.web.paging import choice
from dealerflow.web.reading import ListOf, page_request, reader_of, respond_page
from dealerflow.web.routes import PAGING, Query, get, post, put
from dealerflow.web.system import HttpRequest, system_of

STATUSES = ("open", "departed")


class LoadMade(msgspec.Struct, frozen=True, kw_only=True):
    """A load after a change to it; GET gives its cars."""

    id: str
    status: str
    plant: str
    carrier: str | None
    created_at: str
    departed_at: str | None
    orders: tuple[str, ...]


@get(
    "/loads", answers={200: ListOf[LoadView]}, query=(Query(name="status", text="open or departed"), *PAGING)
)
def loads(request: HttpRequest) -> Response[bytes]:
    """Loads with their cars, newest first. `blocked` says what would keep a car from departing."""
    caller = _reader(request)
    found = system_of(request).queries.loads.many(
        reader_of(request, caller),
        choice(request, "status", STATUSES),
        _plants(caller),
        page_request(request),
    )
    return respond_page(found)


@get("/loads/{load_id:str}", answers={200: LoadView})
def load(request: HttpRequest, load_id: FromPath[str]) -> Response[bytes]:
    """A load with its cars."""
    caller = _reader(request)
    return respond(_see(request, caller, load_id))


@post("/loads", form=LoadForm, answers={201: LoadMade}, errors=(409,))
def new_load(request: HttpRequest, body: RawBody) -> Response[bytes]:
    """Put cars that wait for a load on a new one."""
    caller = _delivery_lead(request)
    form = read_form(LoadForm, body)

    def run(work: UnitOfWork) -> Answer:
        made = make_load(work, caller, form)
        where = {"Location": f"/api/v1/loads/{made.id}"}
        return answer(201, _made(made, tuple(sorted(form.orders))), where)

    return idempotent(request, body, caller, run)


@put("/loads/{load_id:str}", form=LoadForm, answers={200: LoadView}, errors=(409,))
def changed_load(request: HttpRequest, load_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Put exactly these cars on an open load, and say who carries it."""
    caller = _delivery_lead(request)
    form = read_form(LoadForm, body)
    with system_of(request).database.begin() as work:
        change_load(work, caller, load_id, form)
    return respond(_see(request, caller, load_id))


@post("/loads/{load_id:str}/departure", answers={202: LoadMade}, errors=(409,))
def departure(request: HttpRequest, load_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Let the load depart with all its cars; with 409 none moves, and each car in the way is named in `blocked`."""
    caller = _delivery_lead(request)

    def run(work: UnitOfWork) -> Answer:
        orders = tuple(order.id for order in work.orders.on_load(load_id))
        return answer(202, _made(depart(work, caller, load_id), orders))

    return idempotent(request, body, caller, run)


def _see(request: HttpRequest, caller: Caller, load_id: str) -> LoadView:
    return system_of(request).queries.loads.one(reader_of(request, caller), load_id, _plants(caller))


def _delivery_lead(request: HttpRequest) -> Caller:
    caller = caller_of(request)
    require(caller, "delivery_lead")
    return caller


def _reader(request: HttpRequest) -> Caller:
    caller = caller_of(request)
    require(caller, "delivery_lead", "admin")
    return caller


def _plants(caller: Caller) -> frozenset[str] | None:
    """The plants whose loads the caller sees; None: all."""
    plants = caller.scopes("delivery_lead")
    return None if caller.has("admin") or "" in plants else plants


def _made(load: Load, orders: tuple[str, ...]) -> LoadMade:
    return LoadMade(
        id=load.id,
        status=load.status,
        plant=load.plant,
        carrier=load.carrier,
        created_at=moment(load.created_at),
        departed_at=moment_or_none(load.departed_at),
        orders=orders,
    )


ROUTES = (loads, load, new_load, changed_load, departure)

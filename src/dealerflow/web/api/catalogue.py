"""What the order page needs: catalogue, dealerships and prices. Answered from intake's snapshot, whatever the database does."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response
from litestar.params import RawBody
from msgspec import Meta

from dealerflow.application.views import PriceLineView
from dealerflow.domain import catalogue as cars
from dealerflow.domain.billing import Term
from dealerflow.domain.catalogue import Catalogue, PartialChoice, VehicleChoice
from dealerflow.domain.errors import Fault, Unavailable
from dealerflow.domain.intake import CodeEntered, Snapshot, SnapshotDealership, dealership_faults
from dealerflow.domain.languages import FALLBACK, in_language
from dealerflow.domain.money import Money
from dealerflow.web.body import read_form, respond
from dealerflow.web.reading import ListOf, accepted_language, page_request, respond_slice
from dealerflow.web.routes import ANYONE, PAGING, get, post
from dealerflow.web.system import HttpRequest, system_of


class DealershipView(msgspec.Struct, frozen=True, kw_only=True):
    """A dealership that takes orders. No `models`: it sells all."""

    id: str
    name: str
    currency: str
    language: str
    models: tuple[str, ...] | None
    terms: tuple[Term, ...]


class QuoteVehicle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As much of a car as has been chosen."""

    model: CodeEntered | None = None
    trim: CodeEntered | None = None
    colour: CodeEntered | None = None
    options: Annotated[tuple[CodeEntered, ...], Meta(max_length=50)] = ()


class QuoteForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A car at a dealership."""

    dealership: CodeEntered
    vehicle: QuoteVehicle


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What the car costs, tax included. Where something is missing or wrong there are faults and no price."""

    price: Money | None
    lines: tuple[PriceLineView, ...]
    faults: tuple[Fault, ...]


@get("/catalogue", answers={200: Catalogue, 304: None}, access=ANYONE)
def catalogue(request: HttpRequest) -> Response[bytes]:
    """Everything that can be ordered, with prices and rules; titles in every language."""
    snapshot = _snapshot(request)
    headers = {"ETag": f'"catalogue-{snapshot.number}"', "Cache-Control": "no-cache"}
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return respond(None, status=304, headers=headers)
    return respond(snapshot.catalogue, headers=headers)


@get("/dealerships", answers={200: ListOf[DealershipView]}, query=PAGING, access=ANYONE)
def dealerships(request: HttpRequest) -> Response[bytes]:
    """The dealerships that take orders, by id."""
    known = _snapshot(request).dealerships
    found = tuple(_dealership(known[id_]) for id_ in sorted(known) if known[id_].active)
    return respond_slice(found, page_request(request), lambda one: (one.id,))


def _dealership(dealership: SnapshotDealership) -> DealershipView:
    return DealershipView(
        id=dealership.id,
        name=dealership.name,
        currency=dealership.currency,
        language=dealership.language,
        models=dealership.models,
        terms=dealership.terms,
    )


@post("/quote", form=QuoteForm, answers={200: QuoteView}, access=ANYONE, repeatable=False)
def quote(request: HttpRequest, body: RawBody) -> Response[bytes]:
    """The price of a car, or what is still missing or wrong with it. Nothing is kept."""
    form = read_form(QuoteForm, body)
    language = accepted_language(request) or FALLBACK
    return respond(priced(form, _snapshot(request), language))


def priced(form: QuoteForm, snapshot: Snapshot, language: str) -> QuoteView:
    """What the car costs at this dealership, with titles in this language."""
    dealership = snapshot.dealerships.get(form.dealership)
    faults = _faults(form, snapshot, dealership)
    vehicle = form.vehicle
    if dealership is None or faults or not (vehicle.model and vehicle.trim and vehicle.colour):
        return QuoteView(price=None, lines=(), faults=tuple(faults))
    choice = VehicleChoice(
        model=vehicle.model, trim=vehicle.trim, colour=vehicle.colour, options=vehicle.options
    )
    found = cars.quote(snapshot.catalogue, choice, dealership.currency)
    lines = tuple(
        PriceLineView(
            kind=line.kind,
            code=line.code,
            title=in_language(line.title, language),
            amount=Money(line.amount, dealership.currency),
        )
        for line in found.lines
    )
    return QuoteView(price=found.total, lines=lines, faults=())


def _faults(form: QuoteForm, snapshot: Snapshot, dealership: SnapshotDealership | None) -> list[Fault]:
    vehicle = form.vehicle
    found = []
    if dealership is None:
        found.append(Fault("/dealership", f'there is no dealership "{form.dealership}"'))
    else:
        found += dealership_faults(dealership, vehicle.model, snapshot)
    missing = [name for name in ("model", "trim", "colour") if getattr(vehicle, name) is None]
    found += [Fault(f"/vehicle/{name}", "is not chosen yet") for name in missing]
    choice = PartialChoice(vehicle.model, vehicle.trim, vehicle.colour, tuple(enumerate(vehicle.options)))
    return found + cars.partial_faults(
        snapshot.catalogue, choice, dealership.currency if dealership else None
    )


def _snapshot(request: HttpRequest) -> Snapshot:
    snapshot = system_of(request).intake.snapshot
    if snapshot is None:
        raise Unavailable("there is no catalogue yet; try again in a moment")
    return snapshot


ROUTES = (catalogue, dealerships, quote)

"""Loads: passed cars are put together, change their load, and leave, all of a load or none of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from dealerflow.application.queries import OrderFilter, PageRequest
from dealerflow.application.shipping import MAX_CARS, LoadForm, change_load, depart, make_load
from dealerflow.application.views import DeliveryNoteView, LoadView
from dealerflow.domain.errors import Conflict, Fault, Invalid
from dealerflow.domain.ids import short_number
from dealerflow.domain.people import Caller
from dealerflow.pipeline.definition import Pipeline
from dealerflow.web.pages.cards import Cards, OrderCard
from dealerflow.web.pages.core_words import faults_in_words, in_words, refusal_in_words
from dealerflow.web.pages.frame import HtmlResponse, Visit, get, post
from dealerflow.web.paging import cursor_of, paging, text

MOST_WAITING = 100
MOST_OPEN = 50
MOST_DEPARTED = 10
MOST_NOTES = 200
LONGEST_CARRIER = 200


class DealershipGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Cars for one dealership that wait for a load."""

    dealership: str
    name: str
    cars: tuple[OrderCard, ...]


class DeliveryLineGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The dealerships of one delivery line."""

    name: str
    dealerships: tuple[DealershipGroup, ...]
    count: int


class LoadFormView(msgspec.Struct, frozen=True, kw_only=True):
    """What is chosen, and what was wrong with it."""

    chosen: frozenset[str] = frozenset()
    carrier: str = ""
    errors: tuple[str, ...] = ()


class LoadsView(msgspec.Struct, frozen=True, kw_only=True):
    """Cars without a load, loads that stand ready, loads that have left."""

    lines: tuple[DeliveryLineGroup, ...]
    waiting: int
    more_wait: bool
    form: LoadFormView
    open: tuple[LoadView, ...]
    more_open: bool
    departed: tuple[LoadView, ...]
    next_url: str | None


class LoadPage(msgspec.Struct, frozen=True, kw_only=True):
    """One load. `lines` are cars that could go on it too; `dealerships` by id."""

    load: LoadView
    short: str
    blocked: int
    dealerships: dict[str, str]
    lines: tuple[DeliveryLineGroup, ...]
    form: LoadFormView
    notes: tuple[DeliveryNoteView, ...]
    refusal: tuple[str, ...] = ()


@get("/loads")
def loads(visit: Visit) -> HtmlResponse:
    """Everything that waits, stands ready or has left."""
    visit.require("delivery_lead")
    return _show_loads(visit, LoadFormView())


@post("/loads")
def make(visit: Visit) -> HtmlResponse:
    """Put the chosen cars on a new load."""
    visit.require("delivery_lead")
    try:
        form = _form(visit)
        with visit.system.database.begin() as work:
            load = make_load(work, visit.caller(), form)
    except (Invalid, Conflict) as error:
        return _show_loads(visit, _again(visit, error), status=_status(error))
    return visit.go(f"/loads/{load.id}", say="load_made", load=short_number(load.id))


@get("/loads/{load_id:str}")
def load(visit: Visit, load_id: str) -> HtmlResponse:
    """One load."""
    visit.require("delivery_lead")
    return _show_load(visit, load_id)


@post("/loads/{load_id:str}")
def change(visit: Visit, load_id: str) -> HtmlResponse:
    """Put exactly the chosen cars on it."""
    visit.require("delivery_lead")
    try:
        form = _form(visit)
        with visit.system.database.begin() as work:
            change_load(work, visit.caller(), load_id, form)
    except (Invalid, Conflict) as error:
        return _show_load(visit, load_id, form=_again(visit, error), status=_status(error))
    return visit.go(f"/loads/{load_id}", say="load_changed", load=short_number(load_id))


@get("/loads/{load_id:str}/departure")
def ask_departure(visit: Visit, load_id: str) -> HtmlResponse:
    """Ask once more: a departure cannot be taken back."""
    visit.require("delivery_lead")
    return visit.show("load_departure.html", _page(visit, load_id), place="loads")


@post("/loads/{load_id:str}/departure")
def let_depart(visit: Visit, load_id: str) -> HtmlResponse:
    """Send the load off."""
    visit.require("delivery_lead")
    try:
        with visit.system.database.begin() as work:
            depart(work, visit.caller(), load_id)
    except Conflict as error:
        return _show_load(visit, load_id, refusal=refusal_in_words(visit.texts, error), status=409)
    visit.system.ring()
    return visit.go(f"/loads/{load_id}", say="load_departed", load=short_number(load_id))


def _show_loads(visit: Visit, form: LoadFormView, status: int = 200) -> HtmlResponse:
    page = paging(visit.request, order="loads")
    queries, plants = visit.system.queries.loads, _plants(visit.caller())
    lines, waiting, more_wait = _waiting(visit)
    departed = queries.many(
        visit.reader(), "departed", plants, PageRequest(limit=MOST_DEPARTED, after=page.cursor)
    )
    ready = queries.many(visit.reader(), "open", plants, PageRequest(limit=MOST_OPEN))
    view = LoadsView(
        lines=lines,
        waiting=waiting,
        more_wait=more_wait,
        form=form,
        open=ready.items,
        more_open=ready.next is not None,
        departed=departed.items,
        next_url=f"/loads?cursor={cursor_of(*departed.next, order='loads')}" if departed.next else None,
    )
    return visit.show("loads.html", view, place="loads", status=status)


def _show_load(
    visit: Visit,
    load_id: str,
    *,
    form: LoadFormView | None = None,
    refusal: tuple[str, ...] = (),
    status: int = 200,
) -> HtmlResponse:
    page = _page(visit, load_id)
    if form is not None:
        page = msgspec.structs.replace(page, form=form)
    page = msgspec.structs.replace(page, refusal=refusal)
    return visit.show("load.html", page, place="loads", status=status)


def _page(visit: Visit, load_id: str) -> LoadPage:
    queries = visit.system.queries.loads
    found = _in_words(visit, queries.one(visit.reader(), load_id, _plants(visit.caller())))
    is_open = found.status == "open"
    return LoadPage(
        load=found,
        short=short_number(found.id),
        blocked=sum(1 for car in found.cars if car.blocked),
        dealerships=_names(visit, (car.dealership for car in found.cars)),
        lines=_waiting(visit)[0] if is_open else (),
        form=LoadFormView(chosen=frozenset(found.orders), carrier=found.carrier or ""),
        notes=() if is_open else queries.notes(load_id, None, PageRequest(limit=MOST_NOTES)).items,
    )


def _in_words(visit: Visit, load: LoadView) -> LoadView:
    """With what blocks its cars in the reader's language."""
    cars = tuple(
        msgspec.structs.replace(car, blocked=in_words(visit.texts, car.blocked)) if car.blocked else car
        for car in load.cars
    )
    return msgspec.structs.replace(load, cars=cars)


# --- cars that wait ---


def _waiting(visit: Visit) -> tuple[tuple[DeliveryLineGroup, ...], int, bool]:
    """The cars without a load by delivery line and dealership, how many, and whether there are more."""
    states = _loading_states(visit.system.pipelines.current)
    if not states:
        return (), 0, False
    wanted = OrderFilter(states=states, dealership=text(visit.request, "dealership"))
    found = visit.system.queries.orders.many(visit.reader(), wanted, PageRequest(limit=MOST_WAITING))
    cards = Cards(visit)
    free = [cards.card(order) for order in found.items if order.load is None and order.decision is None]
    whose = {order.id: order.dealership or "" for order in found.items}
    lines: dict[str, dict[str, list[OrderCard]]] = {}
    with visit.system.database.read() as work:
        for card in free:
            dealership = work.people.dealership(whose[card.id])
            lines.setdefault(dealership.delivery_line, {}).setdefault(dealership.id, []).append(card)
    groups = tuple(_line_group(name, lines[name]) for name in sorted(lines))
    return groups, len(free), found.next is not None


def _line_group(name: str, dealerships: dict[str, list[OrderCard]]) -> DeliveryLineGroup:
    groups = tuple(
        DealershipGroup(dealership=id_, name=cars[0].dealership, cars=tuple(cars))
        for id_, cars in sorted(dealerships.items())
    )
    return DeliveryLineGroup(name=name, dealerships=groups, count=sum(len(group.cars) for group in groups))


def _loading_states(pipeline: Pipeline) -> tuple[str, ...]:
    return tuple(dict.fromkeys(move.source for move in pipeline.moves() if move.outcome.via == "departure"))


def _names(visit: Visit, ids: Iterable[str]) -> dict[str, str]:
    with visit.system.database.read() as work:
        return {id_: work.people.dealership(id_).name for id_ in sorted(set(ids))}


def _plants(caller: Caller) -> Collection[str] | None:
    scopes = caller.scopes("delivery_lead")
    return None if "" in scopes else scopes


# --- the form ---


def _form(visit: Visit) -> LoadForm:
    """Raises Invalid, in the reader's language."""
    t, orders, carrier = visit.texts, visit.fields.all("orders"), visit.fields.optional("carrier")
    faults = [] if orders else [Fault("/orders", t("load.choose_cars"))]
    if len(orders) > MAX_CARS:
        faults.append(Fault("/orders", t("load.too_many", number=MAX_CARS)))
    if carrier and len(carrier) > LONGEST_CARRIER:
        faults.append(Fault("/carrier", t("load.long_carrier", number=LONGEST_CARRIER)))
    if visit.fields.has_signs("carrier"):
        faults.append(Fault("/carrier", t("core.signs")))
    if faults:
        raise Invalid(faults)
    return LoadForm(orders=orders, carrier=carrier)


def _again(visit: Visit, error: Invalid | Conflict) -> LoadFormView:
    """The form as it was sent, with what is wrong."""
    t, fields = visit.texts, visit.fields
    if isinstance(error, Conflict):
        said = refusal_in_words(t, error)
    else:
        said = tuple(fault.detail for fault in faults_in_words(t, error.faults))
    return LoadFormView(chosen=frozenset(fields.all("orders")), carrier=fields.text("carrier"), errors=said)


def _status(error: Invalid | Conflict) -> int:
    return 422 if isinstance(error, Invalid) else 409


ROUTES = (loads, make, load, change, ask_departure, let_depart)

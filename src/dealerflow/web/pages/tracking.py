"""The customer's page: where the car is, what was ordered, what is to be paid, the documents; and cancelling.

Its address holds the key of the order (`?key=`). It works from the moment the order was taken, also while the database is away.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

import msgspec
from babel.dates import format_date

from dealerflow.application.order_views import show_received
from dealerflow.application.orders import DecisionForm, decide, visible
from dealerflow.application.payments import PaymentForm, receive_payment
from dealerflow.application.queries import PageRequest
from dealerflow.application.tracking import works_for
from dealerflow.application.views import DocumentItem, HistoryItem, OrderView, PaymentItem
from dealerflow.domain.errors import Conflict, Forbidden, Invalid, NotFound, Outage
from dealerflow.domain.ids import short_number
from dealerflow.domain.money import Money
from dealerflow.domain.orders import RECEIVED
from dealerflow.domain.people import Caller
from dealerflow.web.api.orders import see_order
from dealerflow.web.auth import KEY
from dealerflow.web.pages.cards import Tone, still_arrives, tone_of_state
from dealerflow.web.pages.configurator import NO_SWATCH
from dealerflow.web.pages.core_words import faults_in_words
from dealerflow.web.pages.decisions import MoveForm, Typed, detail_fields, details_of, move_forms
from dealerflow.web.pages.fields import errors_by_field
from dealerflow.web.pages.formats import locale_of
from dealerflow.web.pages.frame import HtmlResponse, Visit, get, post_by_anybody
from dealerflow.web.pages.progress import Progress, progress_of
from dealerflow.web.reading import respond_pdf

MOST_DOCUMENTS = 50


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A move of the history in words. `by`: whose side it was; `reason`: what was said with it."""

    at: str
    title: str
    by: str | None
    reason: str | None


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A payment in words."""

    amount: Money
    at: str
    status: str
    tone: Tone
    reason: str | None


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A document that can be fetched."""

    title: str
    issued_at: str
    total: Money
    url: str


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the customer may decide; `blocked`: not now."""

    title: str
    url: str
    blocked: bool


class TrackingPage(msgspec.Struct, frozen=True, kw_only=True):
    """The customer's page. `moving`: something is on its way, so that looking again soon is worth it."""

    order: OrderView
    short: str
    tone: Tone
    progress: Progress
    swatch: str
    shape: str
    arrival: str | None
    payments: tuple[Paid, ...]
    papers: tuple[Paper, ...]
    actions: tuple[Action, ...]
    moves: tuple[Move, ...]
    address: str
    pay_url: str
    pay_sum: str
    moving: bool
    said: str | None = None


class DecidePage(msgspec.Struct, frozen=True, kw_only=True):
    """Asks once more before something is decided."""

    short: str
    car: str
    form: MoveForm
    url: str
    back: str


@get("/orders/{order_id:str}")
def tracking(visit: Visit, order_id: str) -> HtmlResponse:
    """The customer's page. Staff who come without a key go to the board's page of the order."""
    if KEY not in visit.request.query_params:
        if visit.account is not None:
            return visit.go(f"/board/{order_id}")
        raise NotFound(visit.texts("track.no_key"))
    return _show(visit, order_id)


@post_by_anybody("/orders/{order_id:str}/payments")
def pay(visit: Visit, order_id: str) -> HtmlResponse:
    """Pay what is due, with the test card."""
    caller = _customer(visit, order_id)
    asked = visit.fields.money("sum")
    try:
        with visit.system.database.begin() as work:
            receive_payment(work, caller, order_id, PaymentForm(method="test_card", amount=asked))
    except (Conflict, Invalid):
        return _show(visit, order_id, said=visit.texts("track.not_payable"), status=409)
    visit.system.ring()
    return visit.go(f"{_address(visit, order_id)}#payment", say="payment_taken")


@get("/orders/{order_id:str}/decisions/{outcome:str}")
def ask(visit: Visit, order_id: str, outcome: str) -> HtmlResponse:
    """Ask once more before deciding."""
    return _ask(visit, order_id, outcome)


@post_by_anybody("/orders/{order_id:str}/decisions/{outcome:str}")
def decided(visit: Visit, order_id: str, outcome: str) -> HtmlResponse:
    """Decide, as the customer."""
    system, caller = visit.system, _customer(visit, order_id)
    try:
        with system.database.begin() as work:
            order = visible(work, caller, order_id)
            known = system.pipelines.get(order.pipeline).state(order.state).outcomes.get(outcome)
            details = details_of(known, visit.fields)
            decide(
                work,
                caller,
                order_id,
                DecisionForm(outcome=outcome, step=visit.fields.text("step"), details=details),
            )
    except Conflict:
        return _show(visit, order_id, said=visit.texts("track.too_late"), status=409)
    except Invalid as error:
        errors = errors_by_field(
            faults_in_words(visit.texts, error.faults), detail_fields(known.details if known else ())
        )
        return _ask(visit, order_id, outcome, Typed(outcome=outcome, fields=visit.fields, errors=errors))
    system.ring()
    return visit.go(_address(visit, order_id), say="decision_taken")


@get("/orders/{order_id:str}/documents/{document_id:str}")
def paper(visit: Visit, order_id: str, document_id: str) -> HtmlResponse:
    """An invoice or credit note of the order as PDF; for the customer, the dealership and administrators."""
    caller = visit.caller(order_id)
    with visit.system.database.read() as work:
        order = visible(work, caller, order_id)
    if not (caller.customer_of == order_id or works_for(caller, order) or caller.has("admin")):
        raise Forbidden
    found = visit.system.queries.documents.one(document_id)
    if found is None or found[0].order_id != order_id:
        raise NotFound
    return respond_pdf(visit.system.printer.document(found[0]), found[0].number)


def _customer(visit: Visit, order_id: str) -> Caller:
    """Who holds the key. Raises NotFound without it: these forms are not the session's."""
    if KEY not in visit.request.query_params:
        raise NotFound(visit.texts("track.no_key"))
    return visit.caller(order_id)


# --- the page ------------------------------------------------------------------------------------------------------------


def _show(visit: Visit, order_id: str, *, said: str | None = None, status: int = 200) -> HtmlResponse:
    order = _see(visit, order_id)
    zone = visit.zone_of(order.dealership) if order.dealership and order.state != RECEIVED else None
    page = _page(visit, order, said)
    return visit.show("tracking.html", page, status=status, zone=zone, address=page.address)


def _see(visit: Visit, order_id: str) -> OrderView:
    caller = visit.caller(order_id)
    order = see_order(visit.system, visit.request, caller, order_id, visit.language)
    if order.state != RECEIVED or caller.link_number != 0:  # a later link is made for a processed order only
        return order
    return _as_taken(visit, order)


def _as_taken(visit: Visit, order: OrderView) -> OrderView:
    """With what intake still has of an order that is not processed yet."""
    try:
        new = visit.system.received(order.id)
    except Outage:
        new = None
    if new is None:
        return order
    snapshot = visit.system.intake.snapshot
    dealership = snapshot.dealerships.get(new.dealership) if snapshot else None
    shown = show_received(order.id, new, visit.language)
    return msgspec.structs.replace(shown, dealership_name=dealership.name if dealership else None)


def _page(visit: Visit, order: OrderView, said: str | None) -> TrackingPage:
    pipeline, language, t = visit.system.pipelines.current, visit.language, visit.texts
    received = order.state == RECEIVED
    history = order.history if isinstance(order.history, tuple) else ()
    swatch, shape = _look(visit, order)
    address = _address(visit, order.id)
    due = order.payment.due
    return TrackingPage(
        order=order,
        short=short_number(order.id),
        tone="wait" if received else tone_of_state(pipeline, order.state),
        progress=progress_of(
            pipeline, None if received else order.state, history, language, t("track.received")
        ),
        swatch=swatch,
        shape=shape,
        arrival=_arrival(visit, order, language),
        payments=tuple(_paid(visit, payment) for payment in order.payment.payments),
        papers=() if received else _papers(visit, order),
        actions=tuple(
            Action(
                title=outcome.title,
                url=_address(visit, order.id, f"/decisions/{outcome.name}"),
                blocked=outcome.blocked is not None,
            )
            for outcome in order.outcomes
        ),
        moves=tuple(_move(visit, item) for item in reversed(history)),
        address=address,
        pay_url=_address(visit, order.id, "/payments"),
        pay_sum=f"{due.amount.amount} {due.amount.currency}" if due else "",
        moving=received or order.decision is not None or order.payment.status == RECEIVED,
        said=said,
    )


def _look(visit: Visit, order: OrderView) -> tuple[str, str]:
    """How the car is drawn, if its model is still in the catalogue."""
    snapshot, vehicle = visit.system.intake.snapshot, order.vehicle
    index = snapshot.catalogue.model_index.get(vehicle.model) if snapshot and vehicle else None
    if index is None or vehicle is None:
        return NO_SWATCH, "saloon"
    colour = index.colours.get(vehicle.colour)
    return (colour.swatch if colour else None) or NO_SWATCH, index.model.shape


def _arrival(visit: Visit, order: OrderView, language: str) -> str | None:
    if not still_arrives(visit.system.pipelines.current, order.state):
        return None
    try:
        day = date.fromisoformat(str(order.facts.get("estimated_arrival")))
    except ValueError:
        return None
    return format_date(day, "full", locale=locale_of(language))


def _paid(visit: Visit, payment: PaymentItem) -> Paid:
    tones: dict[str, Tone] = {
        "received": "wait",
        "paid": "good",
        "refund_requested": "wait",
        "declined": "bad",
    }
    return Paid(
        amount=payment.amount,
        at=payment.refunded_at or payment.settled_at or payment.received_at,
        status=visit.texts(f"payment.{payment.status}"),
        tone=tones.get(payment.status, "plain"),
        reason=payment.reason,
    )


def _papers(visit: Visit, order: OrderView) -> tuple[Paper, ...]:
    try:
        listed = visit.system.queries.documents.of_order(order.id, PageRequest(limit=MOST_DOCUMENTS)).items
    except Outage:
        return ()
    return tuple(_paper(visit, item) for item in listed)


def _paper(visit: Visit, item: DocumentItem) -> Paper:
    return Paper(
        title=visit.texts(f"track.{item.kind}", number=item.number),
        issued_at=item.issued_at,
        total=item.total,
        url=_address(visit, item.order, f"/documents/{item.id}"),
    )


def _move(visit: Visit, item: HistoryItem) -> Move:
    state = visit.system.pipelines.current.states.get(item.state or "")
    title = state.title.get(visit.language) or state.title["en"] if state else item.state or ""
    by = visit.texts.find(f"by.{item.by}") if item.by else None
    reason = item.details.get("reason")
    return Move(at=item.at, title=title, by=by, reason=str(reason) if reason else None)


def _address(visit: Visit, order_id: str, more: str = "") -> str:
    """The page's address, or that of something beside it, with the key that the visitor holds."""
    return f"/orders/{order_id}{more}?{urlencode({KEY: visit.request.query_params.get(KEY, '')})}"


def _ask(visit: Visit, order_id: str, outcome: str, typed: Typed | None = None) -> HtmlResponse:
    order = _see(visit, order_id)
    forms = move_forms(order, visit.system.pipelines.current, visit.language, typed=typed)
    form = next((form for form in forms if form.outcome == outcome), None)
    if form is None or form.blocked:
        return _show(visit, order_id, said=visit.texts("track.too_late"), status=409)
    view = DecidePage(
        short=short_number(order_id),
        car=f"{order.vehicle.labels.model} {order.vehicle.labels.trim}" if order.vehicle else "",
        form=form,
        url=_address(visit, order_id, f"/decisions/{outcome}"),
        back=_address(visit, order_id),
    )
    return visit.show("decide.html", view, status=422 if typed else 200)


ROUTES = (tracking, pay, ask, decided, paper)

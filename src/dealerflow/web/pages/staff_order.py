"""An order in full, as staff see it, with the decisions and the payment that are theirs to make."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from litestar import Response

from dealerflow.application.mail_log import LoggedMail
from dealerflow.application.orders import DecisionForm, decide, put_order, visible
from dealerflow.application.payments import PaymentForm, receive_payment
from dealerflow.application.queries import MAX_LIMIT, PageRequest
from dealerflow.application.records import QualityFailure
from dealerflow.application.refunds import record_refund
from dealerflow.application.tracking import renew_link, works_for
from dealerflow.application.views import DocumentItem, OrderView
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import Conflict, Invalid, NotFound
from dealerflow.domain.ids import short_number
from dealerflow.domain.orders import Order
from dealerflow.domain.people import Caller
from dealerflow.domain.quality import titles
from dealerflow.pipeline.definition import CUSTOMER, Outcome, text_in
from dealerflow.web.pages.cards import Badge, Cards, OrderCard, page_moves
from dealerflow.web.pages.core_words import faults_in_words, in_words
from dealerflow.web.pages.decisions import MoveForm, Typed, detail_fields, details_of
from dealerflow.web.pages.fields import Errors, errors_by_field
from dealerflow.web.pages.frame import HtmlResponse, Visit, get, post
from dealerflow.web.pages.history import HistoryLine, history_of, name_of

# Where a decision may lead back to: pages of ours that hold its form, with their query.
_BACK = re.compile(r"/(?:board|lines|incoming)(?:\?[\x21-\x5b\x5d-\x7e]*)?")
MAIL_READERS = ("operator",)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing was done, in words."""

    title: str
    text: str


class FailureLine(msgspec.Struct, frozen=True, kw_only=True):
    """One failed quality check."""

    at: int
    defects: tuple[str, ...]
    note: str | None


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """The administrator's way out: any state of the pipeline, by hand."""

    states: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]
    errors: Errors
    state: str = ""
    reason: str = ""
    line: str = ""


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one order. `documents`, `mails` None: not for this reader."""

    order: OrderView
    card: OrderCard
    moves: tuple[MoveForm, ...]
    history: tuple[HistoryLine, ...]
    failures: tuple[FailureLine, ...]
    documents: tuple[DocumentItem, ...] | None
    mails: tuple[LoggedMail, ...] | None
    reads_mails: bool
    may_pay: bool
    may_refund: bool
    load_url: str | None
    is_settling: bool
    waits_for: tuple[str, ...]
    customer_url: str | None
    override: Override | None
    refusal: Refusal | None = None

    @property
    def badges(self) -> tuple[Badge, ...]:
        """What is to be known at a glance."""
        return self.card.badges


@get("/board/{order_id:str}")
def order(visit: Visit, order_id: str) -> HtmlResponse:
    """The order's page."""
    visit.require()
    return show_order_page(visit, order_id)


@post("/board/{order_id:str}/decisions")
def decide_here(visit: Visit, order_id: str) -> HtmlResponse:
    """Decide an outcome; from any page that has the form."""
    visit.require()
    name, step = visit.fields.text("outcome"), visit.fields.text("step")
    asked: Outcome | None = None
    try:
        with visit.system.database.begin() as work:
            asked = _outcome(work, visit.caller(), order_id, name)
            form = DecisionForm(outcome=name, step=step, details=details_of(asked, visit.fields))
            decide(work, visit.caller(), order_id, form)
    except Invalid as error:
        errors = errors_by_field(
            faults_in_words(visit.texts, error.faults), detail_fields(asked.details if asked else ())
        )
        return show_order_page(
            visit, order_id, status=422, typed=Typed(outcome=name, fields=visit.fields, errors=errors)
        )
    except Conflict as error:
        refusal = _overtaken(visit, order_id, step) or _refused(visit, error)
        return show_order_page(visit, order_id, status=409, refusal=refusal)
    visit.system.ring()
    title = text_in(asked.title, visit.language) if asked else name
    return visit.go(_back(visit, order_id), say="staff_decided", outcome=title, order=short_number(order_id))


@post("/board/{order_id:str}/payments")
def pay_here(visit: Visit, order_id: str) -> HtmlResponse:
    """The dealership takes the customer's payment of what is due next: of the sum that its page has shown."""
    visit.require("dealer", "dealer_admin")
    form = PaymentForm(method="test_card", amount=visit.fields.money("sum"))
    try:
        with visit.system.database.begin() as work:
            receive_payment(work, visit.caller(), order_id, form)
    except Conflict as error:
        return show_order_page(visit, order_id, status=409, refusal=_refused(visit, error))
    except Invalid as error:  # something else is due by now
        said = " ".join(fault.detail for fault in faults_in_words(visit.texts, error.faults))
        refusal = Refusal(title=visit.texts("staff.refused"), text=said)
        return show_order_page(visit, order_id, status=409, refusal=refusal)
    visit.system.ring()
    return visit.go(f"/board/{order_id}", say="staff_paid")


@post("/board/{order_id:str}/refunds/{payment_id:str}")
def refund_here(visit: Visit, order_id: str, payment_id: str) -> HtmlResponse:
    """Note that a payment has been given back."""
    visit.require("dealer", "dealer_admin", "admin")
    if visit.fields.has_signs("reference"):
        refusal = Refusal(title=visit.texts("staff.refused"), text=visit.texts("core.signs"))
        return show_order_page(visit, order_id, status=422, refusal=refusal)
    try:
        with visit.system.database.begin() as work:
            record_refund(work, visit.caller(), payment_id, visit.fields.optional("reference"))
    except Conflict as error:
        return show_order_page(visit, order_id, status=409, refusal=_refused(visit, error))
    visit.system.ring()
    return visit.go(f"/board/{order_id}", say="staff_refunded")


@post("/board/{order_id:str}/link")
def new_link(visit: Visit, order_id: str) -> HtmlResponse:
    """Give the customer a new link; the old one is void from now on."""
    visit.require("dealer", "dealer_admin", "admin")
    with visit.system.database.begin() as work:
        renew_link(work, visit.caller(), order_id)
    visit.system.ring()
    return visit.go(f"/board/{order_id}", say="staff_link")


@post("/board/{order_id:str}/state")
def put_here(visit: Visit, order_id: str) -> HtmlResponse:
    """The administrator's override: on record, with a reason."""
    account = visit.require("admin")
    fields = visit.fields
    if wrong := {name: [visit.texts("core.signs")] for name in ("reason", "line") if fields.has_signs(name)}:
        return show_order_page(visit, order_id, status=422, override_errors=wrong)
    try:
        with visit.system.database.begin() as work:
            put_order(
                work,
                order_id,
                fields.text("state"),
                by=account.id,
                reason=fields.text("reason"),
                silent="silent" in fields,
                line=fields.optional("line"),
            )
    except Invalid as error:
        errors = errors_by_field(
            faults_in_words(visit.texts, error.faults),
            {"/state": "state", "/reason": "reason", "/line": "line"},
        )
        return show_order_page(visit, order_id, status=422, override_errors=errors)
    except Conflict as error:
        return show_order_page(visit, order_id, status=409, refusal=_refused(visit, error))
    visit.system.ring()
    return visit.go(f"/board/{order_id}", say="staff_put", order=short_number(order_id))


@get("/board/{order_id:str}/documents/{document_id:str}")
def document(visit: Visit, order_id: str, document_id: str) -> HtmlResponse:
    """An invoice or credit note of the order, as PDF."""
    visit.require()
    with visit.system.database.read() as work:
        found = visible(work, visit.caller(), order_id)
        issued = work.billing.document(document_id)
    if issued is None or issued.order_id != order_id or not _sees_documents(visit.caller(), found):
        raise NotFound(f"there is no document {document_id}")
    return pdf(visit.system.printer.document(issued), issued.number)


def pdf(content: bytes, name: str) -> HtmlResponse:
    """A PDF that the browser shows."""
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"'}
    return Response(content, status_code=200, media_type="application/pdf", headers=headers)


def show_order_page(
    visit: Visit,
    order_id: str,
    *,
    status: int = 200,
    typed: Typed | None = None,
    refusal: Refusal | None = None,
    override_errors: Errors | None = None,
) -> HtmlResponse:
    """The page as it stands now, also after something was refused: with what was typed, and why."""
    found = visit.system.queries.orders.one(visit.reader(), order_id)
    caller = visit.caller()
    card = Cards(visit).card(found)
    moves = page_moves(visit, found, typed)
    if typed is not None and not any(move.is_open for move in moves):
        refusal = Refusal(
            title=visit.texts("staff.refused"),
            text=" ".join(said for every in typed.errors.values() for said in every),
        )
    own = bool({found.dealership, ""} & caller.dealerships)
    page = OrderPage(
        order=found,
        card=card,
        moves=moves,
        history=tuple(history_of(visit, found)),
        failures=tuple(_failures(visit, order_id)) if found.failures else (),
        documents=_documents(visit, found),
        mails=_mails(visit, found),
        reads_mails=caller.has(*MAIL_READERS),
        may_pay=own and found.payment.open,
        may_refund=own or caller.has("admin"),
        load_url=f"/loads/{found.load}" if found.load and caller.has("delivery_lead") else None,
        is_settling=found.decision is not None or found.payment.status == "received",
        waits_for=_waits_for(visit, found),
        customer_url=_customer_url(visit, order_id) if own or caller.has("admin") else None,
        override=_override(visit, override_errors or {}) if caller.has("admin") else None,
        refusal=refusal,
    )
    return visit.show("staff_order.html", page, status=status, place="board")


# --- deciding ---


def _outcome(work: UnitOfWork, caller: Caller, order_id: str, name: str) -> Outcome | None:
    """The outcome of the order's present state. Whether it may be decided is for the use case to say."""
    found = visible(work, caller, order_id)
    state = work.pipelines.get(found.pipeline).states.get(found.state)
    return state.outcomes.get(name) if state else None


def _back(visit: Visit, order_id: str) -> str:
    asked = visit.fields.raw("back")
    return asked if _BACK.fullmatch(asked) else f"/board/{order_id}"


def _refused(visit: Visit, error: Conflict) -> Refusal:
    return Refusal(title=visit.texts("staff.refused"), text=in_words(visit.texts, error.detail))


def _overtaken(visit: Visit, order_id: str, step: str) -> Refusal | None:
    """Who was quicker, and with what; None if the step is still open."""
    t = visit.texts
    with visit.system.database.read() as work:
        now = visible(work, visit.caller(), order_id)
        if now.step == step and now.decision is None:
            return None
        pipeline = work.pipelines.get(now.pipeline)
        if now.step == step:
            by, outcome, state = now.decided_by, now.decision, now.state
        else:
            entered = work.happenings.entered(order_id, now.step)
            by, outcome = (entered.by, entered.outcome) if entered else (None, None)
            state = next(
                (move.source for move in pipeline.moves() if outcome == move.outcome.name), now.state
            )
        member = work.people.account(by) if by else None
    declared = pipeline.states[state].outcomes.get(outcome or "") if state in pipeline.states else None
    title = text_in(declared.title, visit.language) if declared else outcome or t("event.OrderPut")
    own = member is not None and visit.account is not None and member.id == visit.account.id
    who = member.name if member else name_of(visit, by)
    here = pipeline.states.get(now.state)
    text = t(
        "staff.overtaken_by_you" if own else "staff.overtaken_by",
        who=who,
        outcome=title,
        state=text_in(here.title, visit.language) if here else now.state,
    )
    return Refusal(title=t("staff.overtaken"), text=text)


def _override(visit: Visit, errors: Errors) -> Override:
    with visit.system.database.read() as work:
        lines = work.factory.lines()
    fields = visit.fields
    return Override(
        states=tuple(
            (state.name, text_in(state.title, visit.language))
            for state in visit.system.pipelines.current.states.values()
        ),
        lines=tuple((line.id, line.name) for line in lines),
        errors=errors,
        state=fields.text("state") if errors else "",
        reason=fields.text("reason") if errors else "",
        line=fields.text("line") if errors else "",
    )


# --- what is shown ---


def _customer_url(visit: Visit, order_id: str) -> str:
    """The customer's page, by the link that counts."""
    with visit.system.database.read() as work:
        number = work.orders.get(order_id).link_number
    return visit.system.links.tracking_url(order_id, number)


def _waits_for(visit: Visit, order: OrderView) -> tuple[str, ...]:
    """The roles that decide next, in words."""
    state = visit.system.pipelines.current.states.get(order.state)
    roles = [role for outcome in state.outcomes.values() for role in outcome.by] if state else []
    return tuple(
        visit.texts.find(f"role.{role}") or role for role in dict.fromkeys(roles) if role != CUSTOMER
    )


def _sees_documents(caller: Caller, order: Order) -> bool:
    return works_for(caller, order) or caller.has("admin")


def _documents(visit: Visit, order: OrderView) -> tuple[DocumentItem, ...] | None:
    caller = visit.caller()
    if not ({order.dealership, ""} & caller.dealerships or caller.has("admin")):
        return None
    return visit.system.queries.documents.of_order(order.id, PageRequest(limit=MAX_LIMIT)).items


def _mails(visit: Visit, order: OrderView) -> tuple[LoggedMail, ...] | None:
    """Whom we wrote to: for those who may see how the customer is reached."""
    if order.customer is None or order.customer.email is None:
        return None
    return tuple(reversed(visit.system.mails.page(order=order.id, limit=MAX_LIMIT, before=None)))


def _failures(visit: Visit, order_id: str) -> Iterator[FailureLine]:
    with visit.system.database.read() as work:
        failures: list[QualityFailure] = work.factory.failures(order_id)
        codes = work.factory.defect_codes()
    for failure in failures:
        defects = tuple(titles(failure.defects, codes, visit.language))
        yield FailureLine(at=failure.at, defects=defects, note=failure.note)


ROUTES = (order, decide_here, pay_here, refund_here, new_link, put_here, document)

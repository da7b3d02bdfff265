"""An order as a card: on the board, in a line's queue, among the cars on their way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec
from babel.dates import format_date, format_timedelta

from dealerflow.application.views import OrderView, PaymentView
from dealerflow.domain.ids import short_number
from dealerflow.pipeline.definition import Pipeline
from dealerflow.web.pages.core_words import in_words
from dealerflow.web.pages.decisions import MoveForm, Typed, move_forms
from dealerflow.web.pages.formats import Formats, locale_of
from dealerflow.web.pages.frame import Visit
from dealerflow.web.pages.progress import usual_way
from dealerflow.web.pages.texts import Texts

Tone = Literal["wait", "go", "good", "bad", "plain"]
MINUTE_S = 60


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """A few words about an order; `tone` gives shape and colour, the words say the same."""

    tone: Tone
    text: str


class OrderCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows of an order. `key` is unique on the page. `since` is when it entered its state, `waited` for how long."""

    id: str
    key: str
    short: str
    url: str
    state: str
    state_title: str
    tone: Tone
    car: str
    colour: str
    options: tuple[str, ...]
    dealership: str
    customer: str
    vin: str | None
    line: str | None
    load: str | None
    since: str
    waited: str
    arrival: str | None
    badges: tuple[Badge, ...]
    deciding: str | None
    moves: tuple[MoveForm, ...]
    loads_url: str | None


class Cards:
    """Makes cards for one visit."""

    def __init__(self, visit: Visit, *, back: str = "", mark: str = "") -> None:
        """`back` is the page to which the forms lead; `mark` tells cards of one order on one page apart."""
        self._mark = mark
        self._loads_cars = visit.caller().has("delivery_lead")
        self._pipeline = visit.system.pipelines.current
        self._now = visit.system.clock.now()
        self._texts = visit.texts
        self._formats = Formats(visit.language)
        self._back = back

    def card(self, order: OrderView, *, fixed: Mapping[str, str] | None = None) -> OrderCard:
        """The order's card; `fixed` are details that the page has chosen for its forms."""
        vehicle, customer = order.vehicle, order.customer
        return OrderCard(
            id=order.id,
            key=f"{order.id}{self._mark}",
            short=short_number(order.id),
            url=f"/board/{order.id}",
            state=order.state,
            state_title=order.state_title,
            tone=tone_of_state(self._pipeline, order.state),
            car=f"{vehicle.labels.model} {vehicle.labels.trim}" if vehicle else "",
            colour=vehicle.labels.colour if vehicle else "",
            options=tuple(vehicle.labels.options.values()) if vehicle else (),
            dealership=order.dealership_name or order.dealership or "",
            customer=customer.name if customer else "",
            vin=order.vin,
            line=order.line,
            load=order.load,
            since=order.entered_at or "",
            waited=span_since(order.entered_at, self._now, self._texts.language),
            arrival=arrival_of(order, self._texts.language)
            if still_arrives(self._pipeline, order.state)
            else None,
            badges=badges(order, self._texts, self._formats),
            deciding=title_of_decision(order, self._pipeline, self._texts.language),
            moves=explained(
                order,
                move_forms(
                    order, self._pipeline, self._texts.language, back=self._back, fixed=fixed, mark=self._mark
                ),
                self._texts,
                self._formats,
            ),
            loads_url=self._loads_url(order),
        )

    def _loads_url(self, order: OrderView) -> str | None:
        """Where the delivery lead goes with a car that waits for a load."""
        state = self._pipeline.states.get(order.state)
        departs = state is not None and any(one.via == "departure" for one in state.outcomes.values())
        if not departs or not self._loads_cars:
            return None
        return f"/loads/{order.load}" if order.load else "/loads"


def page_moves(visit: Visit, order: OrderView, typed: Typed | None = None) -> tuple[MoveForm, ...]:
    """The forms on the order's own page."""
    moves = move_forms(order, visit.system.pipelines.current, visit.language, typed=typed)
    return explained(order, moves, visit.texts, Formats(visit.language))


def tone_of_state(pipeline: Pipeline, name: str) -> Tone:
    """How a state looks: how it ended, a failure, or on the way."""
    state = pipeline.states.get(name)
    if state is None:
        return "plain"
    if any(move.outcome.to == name and "record_failure" in move.outcome.effects for move in pipeline.moves()):
        return "bad"
    if state.final:
        return "good" if name == usual_way(pipeline)[-1] else "plain"
    return "go"


def still_arrives(pipeline: Pipeline, name: str) -> bool:
    """Whether a car in this state is yet to be received by its dealership."""
    seen, waiting = {name}, [name]
    while waiting:
        state = pipeline.states.get(waiting.pop())
        for outcome in state.outcomes.values() if state else ():
            if "record_receipt" in outcome.effects:
                return True
            if outcome.to not in seen:
                seen.add(outcome.to)
                waiting.append(outcome.to)
    return False


def arrival_of(order: OrderView, language: str) -> str | None:
    """The day on which the car is expected, as a function has found it out, in words."""
    found = order.facts.get("estimated_arrival")
    try:
        day = date.fromisoformat(str(found))
    except ValueError:
        return None
    return format_date(day, "d MMM y", locale=locale_of(language))


def span_since(at: str | None, now: int, language: str) -> str:
    """How long ago that was: "3 days"; "" for less than a minute."""
    seconds = now / 1000 - datetime.fromisoformat(at).timestamp() if at else 0
    return span(seconds, language) if seconds >= MINUTE_S else ""


def span(seconds: float, language: str) -> str:
    """A length of time in words, roughly. Seconds are told only of what took less than a minute."""
    least: Literal["second", "minute"] = "second" if seconds < MINUTE_S else "minute"
    return format_timedelta(
        timedelta(seconds=seconds), granularity=least, threshold=1.5, locale=locale_of(language)
    )


def title_of_decision(order: OrderView, pipeline: Pipeline, language: str) -> str | None:
    """The title of the decision that is on its way."""
    if order.decision is None:
        return None
    state = pipeline.states.get(order.state)
    outcome = state.outcomes.get(order.decision) if state else None
    return (outcome.title.get(language) or outcome.title["en"]) if outcome else order.decision


def badges(order: OrderView, t: Texts, f: Formats) -> tuple[Badge, ...]:
    """What else is to be known at a glance."""
    found = [_payment_badge(order.payment, t, f)]
    if order.failures:
        found.append(Badge(tone="bad", text=t.count("staff.failed", order.failures)))
    if order.load:
        found.append(Badge(tone="plain", text=t("staff.on_load", load=short_number(order.load))))
    return tuple(badge for badge in found if badge is not None)


def _payment_badge(payment: PaymentView, t: Texts, f: Formats) -> Badge | None:
    if payment.status == "received":
        return Badge(tone="wait", text=t("staff.payment.received"))
    if payment.status == "refund_requested":
        return Badge(tone="bad", text=t("staff.payment.refund_requested"))
    if payment.due is not None and payment.open:
        due = t(f"staff.before.{payment.due.before}", amount=f.money(payment.due.amount))
        return Badge(tone="wait", text=due)
    return Badge(tone="good", text=t("staff.payment.paid")) if payment.paid else None


def explained(order: OrderView, moves: tuple[MoveForm, ...], t: Texts, f: Formats) -> tuple[MoveForm, ...]:
    """The forms with the reasons of what is blocked in the reader's language, where we have the words."""
    due = order.payment.due
    unpaid = t("staff.blocked.payment", amount=f.money(due.amount)) if due else None

    def worded(blocked: str) -> str:
        return unpaid if unpaid and blocked.startswith("payment is missing") else in_words(t, blocked)

    return tuple(
        msgspec.structs.replace(move, blocked=worded(move.blocked)) if move.blocked else move
        for move in moves
    )

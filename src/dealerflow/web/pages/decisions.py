"""Decisions on pages: every form is made from the pipeline, so a new outcome or detail needs no page of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from dealerflow.application.views import DetailView, OrderView, OutcomeView
from dealerflow.pipeline.definition import CUSTOMER, Detail, Outcome, Pipeline, State, text_in
from dealerflow.web.pages.fields import Errors, Fields

Tone = Literal["forward", "other", "ending"]

MOST_CHOICES_IN_A_CARD = 12
PREFIX = "details."


class ChoiceView(msgspec.Struct, frozen=True, kw_only=True):
    """One value that can be chosen."""

    value: str
    title: str
    chosen: bool = False


class DetailField(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the form asks for. `id` is unique on the page; `value` is what was typed before."""

    name: str
    id: str
    title: str
    kind: str
    required: bool
    choices: tuple[ChoiceView, ...]
    max_length: int | None
    value: str = ""
    errors: tuple[str, ...] = ()


class MoveForm(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome as a form. `fixed` are details that the page has chosen already; `back` is where it leads afterwards.

    `tone` tells the way on (`forward`) from others and from what ends an order or scraps a car (`ending`). `is_open`
    unfolds the form, because it was sent and something in it is wrong.
    """

    id: str
    order: str
    step: str
    outcome: str
    title: str
    to: str
    tone: Tone
    fields: tuple[DetailField, ...]
    fixed: tuple[tuple[str, str], ...] = ()
    blocked: str | None = None
    back: str = ""
    is_open: bool = False

    @property
    def folded(self) -> bool:
        """Whether the form is shown only after a first click: it asks for something, or cannot be undone."""
        return bool(self.fields) or self.tone == "ending"

    @property
    def fits_a_card(self) -> bool:
        """Whether the form is short enough for a list."""
        return sum(len(field.choices) for field in self.fields) <= MOST_CHOICES_IN_A_CARD


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """A form that was sent and refused: its outcome, what was typed, and what is wrong by field."""

    outcome: str
    fields: Fields
    errors: Errors


def move_forms(
    order: OrderView,
    pipeline: Pipeline,
    language: str,
    *,
    back: str = "",
    fixed: Mapping[str, str] | None = None,
    mark: str = "",
    typed: Typed | None = None,
) -> tuple[MoveForm, ...]:
    """What this reader may decide about the order now, in the pipeline's order."""
    way = _Way(pipeline=pipeline, language=language, back=back, fixed=dict(fixed or {}), mark=mark)
    return tuple(
        way.form(order, outcome, typed if typed and typed.outcome == outcome.name else None)
        for outcome in order.outcomes
    )


class _Way(msgspec.Struct, frozen=True, kw_only=True):
    """What all forms of a page have in common."""

    pipeline: Pipeline
    language: str
    back: str
    fixed: dict[str, str]
    mark: str

    def form(self, order: OrderView, outcome: OutcomeView, typed: Typed | None) -> MoveForm:
        id_ = f"{order.id}{self.mark}-{outcome.name}"
        given = {
            detail.name: self.fixed[detail.name] for detail in outcome.details if detail.name in self.fixed
        }
        target = self.pipeline.states.get(outcome.to)
        return MoveForm(
            id=id_,
            order=order.id,
            step=order.step or "",
            outcome=outcome.name,
            title=outcome.title,
            to=text_in(target.title, self.language) if target else outcome.to,
            tone=tone_of(self.pipeline, order.state, outcome.name),
            fields=tuple(
                _field(id_, detail, typed) for detail in outcome.details if detail.name not in given
            ),
            fixed=tuple((PREFIX + name, value) for name, value in given.items()),
            blocked=outcome.blocked,
            back=self.back,
            is_open=typed is not None,
        )


def _field(form: str, detail: DetailView, typed: Typed | None) -> DetailField:
    name = PREFIX + detail.name
    sent = typed.fields if typed else Fields()
    chosen = sent.all(name)
    return DetailField(
        name=name,
        id=f"{form}-{detail.name}",
        title=detail.title,
        kind=detail.kind,
        required=detail.required,
        choices=tuple(
            ChoiceView(value=code, title=detail.choice_titles.get(code, code), chosen=code in chosen)
            for code in detail.choices
        ),
        max_length=detail.max_length,
        value=sent.text(name) if detail.kind == "text" else "",
        errors=tuple(typed.errors.get(name, ())) if typed else (),
    )


def tone_of(pipeline: Pipeline, state: str, outcome: str) -> Tone:
    """How an outcome is shown: the first one of a state is the usual way on."""
    found = pipeline.states.get(state)
    if found is None or outcome not in found.outcomes:
        return "other"
    chosen = found.outcomes[outcome]
    if next(iter(found.outcomes)) == outcome:
        return "forward"
    target = pipeline.states.get(chosen.to)
    return "ending" if "scrap_vehicle" in chosen.effects or (target and target.final) else "other"


def duties(state: State, roles: frozenset[str]) -> tuple[Outcome, ...]:
    """The outcomes with which these roles are waited for. What the customer may do as well (cancel) waits for nobody."""
    return tuple(
        outcome
        for outcome in state.outcomes.values()
        if roles & set(outcome.by) and CUSTOMER not in outcome.by
    )


def details_of(outcome: Outcome | None, fields: Fields) -> dict[str, Any]:
    """The details in a form that was sent. What was left empty is left out where it may be."""
    if outcome is None:
        return {}
    values = {detail.name: _value(detail, fields) for detail in outcome.details}
    return {name: value for name, value in values.items() if value is not None}


def _value(detail: Detail, fields: Fields) -> Any:
    name = PREFIX + detail.name
    if detail.kind == "codes":
        return list(fields.all(name)) or ([] if detail.required else None)
    typed = fields.text(name)
    return typed or ("" if detail.required and detail.kind == "text" else None)


def detail_fields(details: Sequence[Detail]) -> dict[str, str]:
    """JSON pointers of a decision's details → names of the form's fields."""
    return {f"/details/{detail.name}": PREFIX + detail.name for detail in details}

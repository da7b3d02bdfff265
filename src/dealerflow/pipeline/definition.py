"""What a pipeline is: the states of an order, who moves it on, and what happens on the way.

A `Pipeline` is pure data, read from a file by `loader.load`. The engine, the pages, the permissions and the
diagrams are all made from it. It never changes; a changed file is another pipeline, with another `id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import msgspec

from dealerflow.domain.errors import Fault, Invalid

Text = dict[str, str]
"""A text shown to people, by language, with English always there: `{"en": "Passed", "es": "Aprobado"}`."""

ActionKind = Literal["mail", "topic", "queue", "event", "function"]
When = Literal["first", "every"]
DetailKind = Literal["text", "choice", "codes"]
DetailSource = Literal["lines", "defects"]
Via = Literal["person", "departure"]
Payments = Literal["open", "closed"]

CUSTOMER = "customer"
"""Stands in `Outcome.by` for the order's own customer, who holds a signed link and no role."""

MAX_CODES = 100  # values in one detail of kind `codes`


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do when a state is entered, as a message of its own: its failure never stops the car.

    `target` is, by kind: whom to mail (`dealership`, `customer`, `role:<role>`), the topic, the queue (it may
    hold `{delivery_line}`), the event's type, or the function (`module:attribute` or an entry point's name).
    `template` names the letter of a mail or topic. `when` is `first` if only an order's first entry counts.
    """

    kind: ActionKind
    target: str
    template: str | None = None
    when: When = "every"


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an outcome asks of the person who decides it.

    `text` is free text of at most `max_length` characters, `choice` one value, `codes` a list of different
    values. Valid values are `choices`, or what the installation has under `source` at that moment.
    `choice_titles` has those of the choices that the file gives a title; the others are shown as they are.
    """

    name: str
    title: Text
    kind: DetailKind
    required: bool = False
    choices: tuple[str, ...] = ()
    choice_titles: dict[str, Text] = {}
    source: DetailSource | None = None
    max_length: int = 2000


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """A condition without which an outcome is refused, for example `paid` with the argument `production`."""

    name: str
    argument: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One way out of a state. `by` holds roles, or `customer`; any one of them may decide it.

    `via` is `departure` when the departure of a load decides it for all its cars, never a person for one car.
    `effects` belong to the transaction of the move, in this order, before those of the state entered.
    """

    name: str
    title: Text
    to: str
    by: tuple[str, ...]
    details: tuple[Detail, ...] = ()
    guards: tuple[Guard, ...] = ()
    effects: tuple[str, ...] = ()
    via: Via = "person"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order can be. `effects` and then `actions` belong to each entry, whichever way it came.

    `payments` says whether a payment may be made here, `holds_place` whether a car here has a place on its
    line (taken by the guard `place_on_line`, given back on entering any state that holds none).
    """

    name: str
    title: Text
    outcomes: dict[str, Outcome] = {}
    effects: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    payments: Payments = "open"
    holds_place: bool = False

    @property
    def final(self) -> bool:
        """The order's life ends here: nobody can decide anything."""
        return not self.outcomes


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One arrow of the diagram: deciding `outcome` in the state `source` puts an order in `outcome.to`."""

    source: str
    outcome: Outcome


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """A whole pipeline. Its `id` follows from its `text`, so an order can name just what it started with."""

    name: str
    version: int
    id: str
    text: str
    start: str
    states: dict[str, State]

    def state(self, name: str) -> State:
        """The state of that name; `Invalid` (pointer /state), naming the valid ones, if there is none."""
        if name not in self.states:
            raise Invalid(
                [Fault("/state", f"there is no state {shown(name)}; choose one of {listed(self.states)}")]
            )
        return self.states[name]

    def outcome(self, state: str, name: str) -> Outcome:
        """The outcome of that name; `Invalid` (pointer /outcome), naming the valid ones, if there is none."""
        outcomes = self.state(state).outcomes
        if name not in outcomes:
            valid = f"choose one of {listed(outcomes)}" if outcomes else "nothing can be decided there"
            raise Invalid([Fault("/outcome", f"{shown(name)} is no outcome of {state}; {valid}")])
        return outcomes[name]

    def roles_deciding(self, state: str) -> frozenset[str]:
        """All who may decide something in that state (roles and `customer`), departures included."""
        return frozenset(role for outcome in self.state(state).outcomes.values() for role in outcome.by)

    def moves(self) -> Iterator[Move]:
        """Every move that the pipeline knows, in the order of the file."""
        for state in self.states.values():
            for outcome in state.outcomes.values():
                yield Move(source=state.name, outcome=outcome)


def pipeline_id(name: str, text: str) -> str:
    """`<name>-<12 hex digits>` of the SHA-256 of the file's text in UTF-8."""
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def text_in(text: Text, language: str) -> str:
    """The text in that language, in English if there is no translation."""
    return text.get(language) or text["en"]


def details_faults(outcome: Outcome, details: object, choices: Mapping[str, Collection[str]]) -> list[Fault]:
    """Everything that is wrong with the details of a decision, as faults under /details.

    `details` is what the caller sent, of whatever type (None counts as nothing sent). `choices` gives the
    values that are valid now, by source: `{"lines": […], "defects": […]}`; a source that is missing has none.
    """
    if details is None:
        details = {}
    if not isinstance(details, dict):
        return [Fault("/details", "must be an object with the details that the outcome asks for")]
    known = {detail.name: detail for detail in outcome.details}
    faults = [_unknown_detail(outcome, name) for name in details if name not in known]
    for detail in outcome.details:
        faults += _value_faults(detail, details.get(detail.name), _valid_values(detail, choices))
    return faults


def _valid_values(detail: Detail, choices: Mapping[str, Collection[str]]) -> Collection[str]:
    return detail.choices if detail.source is None else choices.get(detail.source, ())


def _unknown_detail(outcome: Outcome, name: object) -> Fault:
    asked = listed(detail.name for detail in outcome.details)
    advice = f"it asks for {asked}" if asked else "it asks for none; leave it out"
    return Fault(f"/details/{_escaped(str(name))}", f"is no detail of {outcome.name}; {advice}")


def _value_faults(detail: Detail, value: object, valid: Collection[str]) -> list[Fault]:
    """An optional detail may be left out or null; a required one must say something."""
    pointer = f"/details/{detail.name}"
    if value is None:
        return [Fault(pointer, "is missing; it is required")] if detail.required else []
    if detail.kind == "text":
        return _text_faults(detail, value, pointer)
    if detail.kind == "choice":
        return _choice_faults(value, valid, pointer)
    return _codes_faults(detail, value, valid, pointer)


def _text_faults(detail: Detail, value: object, pointer: str) -> list[Fault]:
    if not isinstance(value, str):
        return [Fault(pointer, "must be a text")]
    faults = []
    if detail.required and not value.strip():
        faults.append(Fault(pointer, "is empty; it is required"))
    if len(value) > detail.max_length:
        faults.append(Fault(pointer, f"is {len(value)} characters long; {detail.max_length} are allowed"))
    if has_control_characters(value):
        faults.append(Fault(pointer, "holds control characters; only line breaks and tabs are allowed"))
    return faults


def _choice_faults(value: object, valid: Collection[str], pointer: str) -> list[Fault]:
    if not isinstance(value, str):
        return [Fault(pointer, "must be a text, one of the choices")]
    if value not in valid:
        return [
            Fault(
                pointer, f"{shown(value)} is no valid choice; choose one of {listed(valid) or '(none yet)'}"
            )
        ]
    return []


def _codes_faults(detail: Detail, value: object, valid: Collection[str], pointer: str) -> list[Fault]:
    if not isinstance(value, (list, tuple)):
        return [Fault(pointer, "must be a list of codes")]
    if len(value) > MAX_CODES:
        return [Fault(pointer, f"has {len(value)} entries; {MAX_CODES} are allowed")]
    faults = []
    if detail.required and not value:
        faults.append(Fault(pointer, "is empty; name at least one"))
    for place, code in enumerate(value):
        faults += _choice_faults(code, valid, f"{pointer}/{place}")
        if code in value[:place]:
            faults.append(Fault(f"{pointer}/{place}", "is there twice; name each once"))
    return faults


def has_control_characters(value: str, *, allowed: str = "\n\r\t") -> bool:
    """True for C0 and C1 controls other than `allowed`, and for lone surrogates.

    A database or a mail cannot hold them.
    """
    return any(
        character not in allowed
        and (character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff")
        for character in value
    )


def listed(names: Collection[str] | Iterator[str]) -> str:
    """Names for a sentence: `accept, decline, cancel`."""
    return ", ".join(names)


def shown(value: str) -> str:
    """What somebody wrote, quoted, cut and made printable, for a message about it."""
    return repr(value if len(value) <= 60 else value[:57] + "…")


def _escaped(token: str) -> str:
    """A token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")

"""An order's history in words, for staff: names and titles in the reader's language, no ids of programs."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dealerflow.application.views import HistoryItem, OrderView
from dealerflow.domain.events import MOVES
from dealerflow.domain.money import Money
from dealerflow.domain.quality import titles
from dealerflow.pipeline.definition import Pipeline, text_in
from dealerflow.web.pages.formats import Formats
from dealerflow.web.pages.frame import Visit

SYSTEM, CUSTOMER = "dealerflow", "customer"

Names = dict[str, dict[str, str]]
"""The titles of codes, by the detail in which they stand."""


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened; `facts` are (name, value) pairs. `is_move`: the order entered a state."""

    at: str
    title: str
    by: str
    is_move: bool
    facts: tuple[tuple[str, str], ...]


def history_of(visit: Visit, order: OrderView) -> Iterator[HistoryLine]:
    """What happened to the order, the newest first."""
    items = order.history if isinstance(order.history, tuple) else ()
    names = _names(visit)
    for item in reversed(items):
        yield HistoryLine(
            at=item.at,
            title=_title(visit, item),
            by=name_of(visit, item.by),
            is_move=item.type in MOVES,
            facts=tuple(_facts(visit, item, names)),
        )


def name_of(visit: Visit, by: str | None) -> str:
    """Who did it, as people say it."""
    return visit.texts(f"staff.by.{by}") if by in (SYSTEM, CUSTOMER) else by or ""


def _names(visit: Visit) -> Names:
    pipeline, language = visit.system.pipelines.current, visit.language
    with visit.system.database.read() as work:
        lines, codes = work.factory.lines(), work.factory.defect_codes()
    names: Names = {
        "line": {line.id: line.name for line in lines},
        "defects": {code.code: titles([code.code], codes, language)[0] for code in codes},
        "from": {state.name: text_in(state.title, language) for state in pipeline.states.values()},
    }
    for move in pipeline.moves():
        for detail in move.outcome.details:
            known = {code: text_in(title, language) for code, title in detail.choice_titles.items()}
            names.setdefault(detail.name, {}).update(known)
    return names


def _title(visit: Visit, item: HistoryItem) -> str:
    pipeline, language = visit.system.pipelines.current, visit.language
    known = visit.texts.find(f"event.{item.type}") or item.type
    state = pipeline.states.get(item.state or "")
    entered = text_in(state.title, language) if state else item.state
    decided = _decided(pipeline, item, language) or known
    return f"{decided} → {entered}" if entered else decided


def _decided(pipeline: Pipeline, item: HistoryItem, language: str) -> str | None:
    for move in pipeline.moves():
        if (move.outcome.name, move.outcome.to) == (item.outcome, item.state):
            return text_in(move.outcome.title, language)
    return item.outcome


def _facts(visit: Visit, item: HistoryItem, names: Names) -> Iterator[tuple[str, str]]:
    """What is told of it: what has a label. The rest (ids, currencies) is for programs."""
    t, f = visit.texts, Formats(visit.language)
    for name, value in item.details.items():
        label = t.find(f"detail.{name}")
        if label is None or value in (None, "", [], False):
            continue
        known = names.get(name, {})
        if name == "amount" and isinstance(value, int):
            yield label, f.money(Money(value, str(item.details.get("currency", "EUR"))))
        elif isinstance(value, list | tuple):
            yield label, ", ".join(known.get(str(one), str(one)) for one in value)
        else:
            yield label, known.get(str(value)) or t.find(f"value.{name}.{value}") or str(value)

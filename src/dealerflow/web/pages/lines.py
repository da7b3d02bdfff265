"""The assembly lines: what waits for each of them, what stands on it, and which car goes next."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

from dealerflow.application.queries import OrderFilter, PageRequest
from dealerflow.application.views import LineView, OrderView
from dealerflow.domain.errors import NotFound
from dealerflow.domain.people import Caller
from dealerflow.pipeline.definition import Pipeline
from dealerflow.web.pages.cards import Cards, OrderCard
from dealerflow.web.pages.frame import HtmlResponse, Visit, get
from dealerflow.web.paging import text

MOST_PANELS = 3  # lines that are shown in full together; with more, one is chosen
MOST_IN_QUEUE = 10
MOST_ON_LINE = 30
MOST_SLOTS = 60  # places that are drawn one by one

READERS = ("production_manager", "line_lead", "head_of_operations", "admin")


class LinePanel(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `queue`: the orders that it can build, those that wait longest first. `slots`: each place, taken or free."""

    line: LineView
    free: int
    slots: tuple[bool, ...]
    queue: tuple[OrderCard, ...]
    queue_url: str | None
    cars: tuple[OrderCard, ...]
    cars_url: str | None


class LinesView(msgspec.Struct, frozen=True, kw_only=True):
    """All lines in short, and some in full. `chooses`: this person decides what goes next."""

    lines: tuple[LineView, ...]
    panels: tuple[LinePanel, ...]
    chosen: str
    chooses: bool


@get("/lines")
def lines(visit: Visit) -> HtmlResponse:
    """The lines of this person."""
    visit.require(*READERS)
    caller = visit.caller()
    known = [line for line in visit.system.queries.figures.lines() if _is_shown(caller, line)]
    chosen = text(visit.request, "line") or ""
    if chosen and chosen not in {line.id for line in known}:
        raise NotFound(f"there is no line {chosen}")
    shown = (
        [line for line in known if line.id == chosen]
        if chosen
        else known[: MOST_PANELS if len(known) <= MOST_PANELS else 1]
    )
    view = LinesView(
        lines=tuple(known),
        panels=tuple(
            _panel(visit, line, "/lines" + (f"?{urlencode({'line': chosen})}" if chosen else ""))
            for line in shown
        ),
        chosen=chosen or (shown[0].id if len(shown) == 1 else ""),
        chooses=caller.has("production_manager"),
    )
    return visit.show("lines.html", view, place="lines")


def _is_shown(caller: Caller, line: LineView) -> bool:
    if caller.has("head_of_operations", "admin"):
        return True
    return caller.holds("line_lead", line.id) or caller.holds("production_manager", line.plant)


def _panel(visit: Visit, line: LineView, back: str) -> LinePanel:
    pipeline = visit.system.pipelines.current
    cards = Cards(visit, back=back, mark=f"-{line.id}")
    waiting, building = (
        _waiting_states(pipeline),
        tuple(name for name, state in pipeline.states.items() if state.holds_place),
    )
    queue, more_wait = _orders(visit, waiting, line.id, MOST_IN_QUEUE)
    on_line, more_cars = _orders(visit, building, line.id, MOST_ON_LINE)
    chosen = dict.fromkeys(_line_details(pipeline), line.id)
    return LinePanel(
        line=line,
        free=max(0, line.places - line.taken),
        slots=tuple(place < line.taken for place in range(line.places)) if line.places <= MOST_SLOTS else (),
        queue=tuple(cards.card(order, fixed=chosen) for order in queue),
        queue_url=_board(waiting[0], line.id) if more_wait and waiting else None,
        cars=tuple(cards.card(order) for order in on_line),
        cars_url=_board(building[0], line.id) if more_cars else None,
    )


def _orders(
    visit: Visit, states: tuple[str, ...], line: str, most: int
) -> tuple[tuple[OrderView, ...], bool]:
    """The orders, and whether there are more."""
    if not states:
        return (), False
    wanted = OrderFilter(states=states, line=line)
    page = visit.system.queries.orders.many(visit.reader(), wanted, PageRequest(limit=most))
    return page.items, page.next is not None


def _waiting_states(pipeline: Pipeline) -> tuple[str, ...]:
    """The states that are left by choosing a line."""
    return tuple(
        dict.fromkeys(
            move.source
            for move in pipeline.moves()
            if any(detail.source == "lines" for detail in move.outcome.details)
        )
    )


def _line_details(pipeline: Pipeline) -> Iterator[str]:
    """What the details are called in which a line is chosen."""
    return (
        detail.name
        for move in pipeline.moves()
        for detail in move.outcome.details
        if detail.source == "lines"
    )


def _board(state: str, line: str) -> str:
    return f"/board?{urlencode({'state': state, 'line': line})}"


ROUTES = (lines,)

"""How the factory flows, in tables with bars."""

from __future__ import annotations

import msgspec

from dealerflow.application.views import DefectFigures, FiguresView, LineView, StateFigures
from dealerflow.web.pages.cards import span
from dealerflow.web.pages.frame import HtmlResponse, Visit, get

STEPS_OF_A_BAR = 40  # widths are classes, not styles: the content security policy allows no others


class StateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One state. Times in words, "" where no stay ended. `bar` and `median_bar` from 0 to STEPS_OF_A_BAR."""

    figures: StateFigures
    median: str
    p95: str
    bar: int
    median_bar: int


class LineRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `bar`: how full it is, `waiting_bar`: its queue beside the longest one."""

    line: LineView
    bar: int
    waiting_bar: int


class DefectRow(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of defect, beside the most frequent one."""

    figures: DefectFigures
    bar: int


class FiguresPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, with bars. `share` in percent, None while no car has been checked."""

    figures: FiguresView
    states: tuple[StateRow, ...]
    lines: tuple[LineRow, ...]
    defects: tuple[DefectRow, ...]
    share: int | None
    share_bar: int
    in_work: int
    waiting: int


@get("/figures")
def figures(visit: Visit) -> HtmlResponse:
    """The figures of the last 90 days."""
    visit.require("head_of_operations", "admin")
    found = visit.system.queries.figures.figures(visit.language)
    pipeline = visit.system.pipelines.current
    share = found.first_pass.share
    defects = [one for one in found.defects if one.count]
    most = max((one.count for one in defects), default=0)
    page = FiguresPage(
        figures=found,
        states=_state_rows(found, visit.language),
        lines=_line_rows(found),
        defects=tuple(DefectRow(figures=one, bar=bar_of(one.count, most)) for one in defects),
        share=None if share is None else round(share * 100),
        share_bar=bar_of(share or 0, 1),
        in_work=sum(
            row.orders
            for row in found.states
            if row.state in pipeline.states and not pipeline.states[row.state].final
        ),
        waiting=sum(line.waiting for line in found.lines),
    )
    return visit.show("figures.html", page, place="figures")


def bar_of(value: float, most: float) -> int:
    """The length of a bar; what is not nothing is seen."""
    if value <= 0 or most <= 0:
        return 0
    return max(1, round(STEPS_OF_A_BAR * min(1.0, value / most)))


def _state_rows(found: FiguresView, language: str) -> tuple[StateRow, ...]:
    most = max((row.orders for row in found.states), default=0)
    slowest = max((row.median_s or 0 for row in found.states), default=0)
    return tuple(
        StateRow(
            figures=row,
            median="" if row.median_s is None else span(row.median_s, language),
            p95="" if row.p95_s is None else span(row.p95_s, language),
            bar=bar_of(row.orders, most),
            median_bar=bar_of(row.median_s or 0, slowest),
        )
        for row in found.states
    )


def _line_rows(found: FiguresView) -> tuple[LineRow, ...]:
    longest = max((line.waiting for line in found.lines), default=0)
    return tuple(
        LineRow(line=line, bar=bar_of(line.taken, line.places), waiting_bar=bar_of(line.waiting, longest))
        for line in found.lines
    )


ROUTES = (figures,)

"""How the factory flows, its lines, and the pipeline that the board is made from."""

from __future__ import annotations

import msgspec
from litestar import Response

from dealerflow.application.access import require
from dealerflow.application.order_views import FactoryAtOnce, show_outcomes
from dealerflow.application.views import FiguresView, LineView, OutcomeView
from dealerflow.domain.languages import in_language
from dealerflow.domain.people import READS_EVERY_ORDER
from dealerflow.pipeline.definition import Pipeline, State
from dealerflow.web.auth import caller_of
from dealerflow.web.body import respond
from dealerflow.web.reading import ListOf, page_request, reader_of, respond_slice
from dealerflow.web.routes import PAGING, get
from dealerflow.web.system import HttpRequest, system_of

FACTORY = tuple(sorted(READS_EVERY_ORDER))


class PipelineOutcome(OutcomeView, frozen=True, kw_only=True):
    """An outcome of a state, with who decides it, and whether a person does or the departure of a load."""

    by: tuple[str, ...]
    via: str


class PipelineState(msgspec.Struct, frozen=True, kw_only=True):
    """A state. `final`: nothing more is decided there."""

    name: str
    title: str
    final: bool
    payments: str
    outcomes: tuple[PipelineOutcome, ...]


class PipelineView(msgspec.Struct, frozen=True, kw_only=True):
    """The pipeline that new orders follow."""

    id: str
    name: str
    version: int
    start: str
    states: tuple[PipelineState, ...]


@get("/figures", answers={200: FiguresView})
def figures(request: HttpRequest) -> Response[bytes]:
    """Orders and times in each state, first-pass yield, defects and the queues of the lines, over the last 90 days."""
    caller = caller_of(request)
    require(caller, "head_of_operations", "admin")
    language = reader_of(request, caller).language_for()
    return respond(system_of(request).queries.figures.figures(language))


@get("/lines", answers={200: ListOf[LineView]}, query=PAGING)
def lines(request: HttpRequest) -> Response[bytes]:
    """The assembly lines: their places, how many are taken, and how many orders could be built there. For the factory."""
    require(caller_of(request), *FACTORY)
    found = tuple(system_of(request).queries.figures.lines())
    return respond_slice(found, page_request(request), lambda line: (line.id,))


@get("/pipeline", answers={200: PipelineView})
def pipeline(request: HttpRequest) -> Response[bytes]:
    """The states of an order, and who decides what in each. Choices that change (lines, defects) are given with each order."""
    caller = caller_of(request)
    require(caller)
    language = reader_of(request, caller).language_for()
    return respond(show_pipeline(system_of(request).pipelines.current, language))


def show_pipeline(followed: Pipeline, language: str) -> PipelineView:
    """The pipeline with its titles in this language."""
    return PipelineView(
        id=followed.id,
        name=followed.name,
        version=followed.version,
        start=followed.start,
        states=tuple(_state(state, language) for state in followed.states.values()),
    )


def _state(state: State, language: str) -> PipelineState:
    shown = show_outcomes(state.outcomes.values(), FactoryAtOnce((), ()), {}, language)
    return PipelineState(
        name=state.name,
        title=in_language(state.title, language),
        final=state.final,
        payments=state.payments,
        outcomes=tuple(
            PipelineOutcome(
                name=view.name,
                title=view.title,
                to=view.to,
                details=view.details,
                by=outcome.by,
                via=outcome.via,
            )
            for view, outcome in zip(shown, state.outcomes.values(), strict=True)
        ),
    )


ROUTES = (figures, lines, pipeline)

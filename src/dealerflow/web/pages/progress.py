"""How far a car has come: the pipeline's usual way as a line, for the customer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from dealerflow.application.views import HistoryItem
from dealerflow.pipeline.definition import Pipeline, text_in

Place = Literal["done", "now", "next"]


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """A state on the line. `at` is when the car last came there (RFC 3339), None if it has not."""

    title: str
    place: Place
    at: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The line. `aside` is the title of the state where the car is, if that is not on the line; `over`: it goes no further."""

    stations: tuple[Station, ...]
    aside: str | None = None
    over: bool = False


def usual_way(pipeline: Pipeline) -> tuple[str, ...]:
    """From the start along the first outcome of each state."""
    way, state = [pipeline.start], pipeline.states[pipeline.start]
    while state.outcomes:
        state = pipeline.states[next(iter(state.outcomes.values())).to]
        if state.name in way:
            break
        way.append(state.name)
    return tuple(way)


def progress_of(
    pipeline: Pipeline, state: str | None, history: Sequence[HistoryItem], language: str, first: str
) -> Progress:
    """Where an order in that state stands; `state` None: it is only received, which is the first station (titled `first`)."""
    way = usual_way(pipeline)
    entered = {item.state: item.at for item in history if item.state}
    here = _reached(way, state, history)
    now = pipeline.states.get(state or "")
    over = now is not None and now.final
    aside = text_in(now.title, language) if now is not None and now.name not in way else None
    stations = [Station(title=first, place="now" if state is None else "done", at=_placed_at(history))]
    for number, name in enumerate(way):
        place: Place = (
            "next" if number > here else "now" if number == here and not over and not aside else "done"
        )
        at = entered.get(name) if place != "next" else None
        stations.append(Station(title=text_in(pipeline.states[name].title, language), place=place, at=at))
    return Progress(stations=tuple(stations), aside=aside, over=over)


def _reached(way: tuple[str, ...], state: str | None, history: Sequence[HistoryItem]) -> int:
    """The last station that was reached; of a car beside the line that from which it left."""
    if state is None:
        return -1
    return next((way.index(name) for name in _backwards(state, history) if name in way), 0)


def _backwards(state: str, history: Sequence[HistoryItem]) -> Iterator[str]:
    yield state
    yield from (item.state for item in reversed(history) if item.state)


def _placed_at(history: Sequence[HistoryItem]) -> str | None:
    return history[0].at if history else None

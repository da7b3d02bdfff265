"""Looks at a pipeline as a whole: does every way lead somewhere, has each car on a line its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dealerflow.pipeline.definition import CUSTOMER, Outcome, Pipeline, State, shown
from dealerflow.pipeline.functions import FunctionMissing, find_function
from dealerflow.pipeline.source import Node, near

Wrong = Callable[[Node, str], None]
"""Notes that something is wrong at a place of the file."""

PLACE_GUARD = "place_on_line"


def check(pipeline: Pipeline, places: Mapping[str, Node], start: Node, wrong: Wrong) -> None:
    """Notes what is wrong with the pipeline as a whole. `places` says where each state stands in the file."""
    if not pipeline.states:
        wrong(start.key, "there are no states; a pipeline needs at least a start and an end")
        return
    for state in pipeline.states.values():
        for outcome in state.outcomes.values():
            _check_outcome(pipeline, state, outcome, places[state.name], wrong)
        _check_departures(state, places[state.name], wrong)
    if pipeline.start and pipeline.states[pipeline.start].holds_place:
        wrong(start, "no order starts with a place on a line; take holds_place from the start")
    # One misspelt state would make half of the others look lost: ways are followed only if all are known.
    if pipeline.start and all(move.outcome.to in pipeline.states for move in pipeline.moves()):
        _check_ways(pipeline, places, wrong)


def warnings(
    pipeline: Pipeline, find: Callable[[str], Callable[..., object]] = find_function
) -> tuple[str, ...]:
    """What is no error of the file, but should be looked at before the file is used.

    That is: functions that cannot be found here, titles that lack a language which the file uses elsewhere.
    """
    return (*missing_functions(pipeline, find), *_missing_translations(pipeline))


def _check_outcome(pipeline: Pipeline, state: State, outcome: Outcome, place: Node, wrong: Wrong) -> None:
    if not outcome.to:
        return  # the reader has said so already
    here = _inside(place, "outcomes", outcome.name)
    target = pipeline.states.get(outcome.to)
    if target is None:
        advice = near(outcome.to, pipeline.states)
        wrong(_inside(here, "to"), f"there is no state {shown(outcome.to)}; {advice}")
        return
    takes_place = any(guard.name == PLACE_GUARD for guard in outcome.guards)
    if target.holds_place and not state.holds_place and not takes_place:
        wrong(
            here.key,
            f"{target.name} holds a place on the line; add the guard {PLACE_GUARD} to {outcome.name}",
        )
    if takes_place and not target.holds_place:
        advice = f"take the guard out, or give {target.name} `holds_place: yes`"
        wrong(here.key, f"{target.name} would give the place on the line back at once; {advice}")


def _check_departures(state: State, place: Node, wrong: Wrong) -> None:
    departures = [outcome for outcome in state.outcomes.values() if outcome.via == "departure"]
    for outcome in departures:
        here = _inside(place, "outcomes", outcome.name)
        if outcome.details:
            wrong(here.key, f"{outcome.name} is decided for a whole load at once; it cannot ask for details")
        if CUSTOMER in outcome.by:
            wrong(here.key, f"{outcome.name} is decided by a departure; a customer sends no load off")
    if len(departures) > 1:
        wrong(
            place.key,
            f"{state.name} has {len(departures)} outcomes via departure; a departure can decide only one",
        )


def _check_ways(pipeline: Pipeline, places: Mapping[str, Node], wrong: Wrong) -> None:
    ways = {
        state.name: {outcome.to for outcome in state.outcomes.values()} for state in pipeline.states.values()
    }
    back: dict[str, set[str]] = {}
    for name, targets in ways.items():
        for target in targets:
            back.setdefault(target, set()).add(name)
    ends = {state.name for state in pipeline.states.values() if state.final}
    reachable = _reached({pipeline.start}, ways)
    ending = _reached(ends, back)
    for name in pipeline.states:
        if name not in reachable:
            wrong(
                places[name].key,
                f"no way leads from {pipeline.start} to {name}; add an outcome, or take it out",
            )
        if ends and name not in ending:
            wrong(places[name].key, f"no way leads from {name} to an end; add an outcome that leads on")
    if not ends:
        wrong(
            places[pipeline.start].key, "the pipeline has no end; leave at least one state without outcomes"
        )


def _reached(begin: set[str], ways: Mapping[str, set[str]]) -> set[str]:
    seen, waiting = set(begin), list(begin)
    while waiting:
        new = ways.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def _inside(place: Node, *keys: str) -> Node:
    """The value under these keys, or the last place there is on the way to it."""
    for key in keys:
        found = [value for name, value in place.entries or () if name.scalar == key]
        if not found:
            return place
        place = found[0]
    return place


def missing_functions(pipeline: Pipeline, find: Callable[[str], object] = find_function) -> Iterator[str]:
    """Which functions that the pipeline calls cannot be found, and why. `find` raises FunctionMissing."""
    for state in pipeline.states.values():
        for action in state.actions:
            if action.kind != "function":
                continue
            try:
                find(action.target)
            except FunctionMissing as missing:
                yield f"state {state.name}: {missing.detail}"


def _missing_translations(pipeline: Pipeline) -> Iterator[str]:
    titles = list(_titles(pipeline))
    languages = sorted({language for _, title in titles for language in title})
    for owner, title in titles:
        missing = [language for language in languages if language not in title]
        if missing:
            yield f"{owner}: no title in {', '.join(missing)}; the English one is shown"


def _titles(pipeline: Pipeline) -> Iterator[tuple[str, dict[str, str]]]:
    for state in pipeline.states.values():
        yield f"state {state.name}", state.title
        for outcome in state.outcomes.values():
            owner = f"state {state.name}, outcome {outcome.name}"
            yield owner, outcome.title
            for detail in outcome.details:
                yield f"{owner}, detail {detail.name}", detail.title
                for code, title in detail.choice_titles.items():
                    yield f"{owner}, detail {detail.name}, choice {code}", title

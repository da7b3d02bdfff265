"""docs/reference/states.md, from the standard pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from dealerflow.pipeline import diagram
from dealerflow.pipeline.definition import Action, Outcome, Pipeline, State, text_in
from dealerflow.pipeline.loader import standard
from scripts.reference.markdown import code, table
from scripts.reference.markdown import page as markdown_page

INTRODUCTION = """The standard pipeline, `src/dealerflow/pipeline/standard.yaml`. An installation may follow
[its own](../how-to/add-a-state.md); what its file may say is in [the pipeline file](pipeline-file.md).

An order that was accepted and not processed yet is `received`."""


def page() -> str:
    """The page."""
    pipeline = standard()
    picture = "![Every state and every way between two](../pictures/pipeline.svg)"
    states = "\n\n".join("\n\n".join(_state(pipeline, state)) for state in pipeline.states.values())
    mermaid = f"## As a Mermaid diagram\n\n```mermaid\n{diagram.mermaid(pipeline)}```"
    return markdown_page("States", INTRODUCTION, picture, states, mermaid)


def _state(pipeline: Pipeline, state: State) -> Iterator[str]:
    yield f"## `{state.name}`"
    yield f"{_titles(state.title)}. {' '.join(_marks(pipeline, state))}".strip()
    entry = [f"* effect `{effect}`" for effect in state.effects]
    entry += [f"* {_action(action)}" for action in state.actions]
    if entry:
        yield "On entering it:"
        yield "\n".join(entry)
    if state.outcomes:
        yield table(
            ("outcome", "title", "leads to", "decided by", "asks for", "guards", "effects"),
            (_outcome(outcome) for outcome in state.outcomes.values()),
        )


def _titles(title: dict[str, str]) -> str:
    return " · ".join(f"{text} ({language})" for language, text in sorted(title.items()))


def _marks(pipeline: Pipeline, state: State) -> Iterator[str]:
    if state.name == pipeline.start:
        yield "Every order begins here."
    if state.final:
        yield "An end: nothing more can be decided."
    if state.payments == "closed":
        yield "Nothing can be paid."
    if state.holds_place:
        yield "The car holds its place on the line."


def _action(action: Action) -> str:
    letter = f" with the letter `{action.template}`" if action.template else ""
    return f"{action.kind} to `{action.target}`{letter}" + (
        ", the first time only" if action.when == "first" else ""
    )


def _outcome(outcome: Outcome) -> tuple[str, ...]:
    asked = (f"`{detail.name}`" + ("" if detail.required else " (optional)") for detail in outcome.details)
    by = code(outcome.by) + (", by the departure of a load" if outcome.via == "departure" else "")
    guards = (f"{guard.name}: {guard.argument}" if guard.argument else guard.name for guard in outcome.guards)
    return (
        f"`{outcome.name}`",
        text_in(outcome.title, "en"),
        f"`{outcome.to}`",
        by,
        ", ".join(asked),
        code(guards),
        code(outcome.effects),
    )

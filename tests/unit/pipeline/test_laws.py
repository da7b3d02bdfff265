"""What holds for every pipeline, and for every text that somebody takes for one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealerflow.pipeline.definition import Outcome, Pipeline, details_faults, pipeline_id
from dealerflow.pipeline.loader import PipelineError, load, standard
from tests.unit.pipeline.generated import Tree, trees, written


def as_tree(pipeline: Pipeline) -> Tree:
    """Back to what stands in a file, to compare the two."""
    states: Tree = {}
    for state in pipeline.states.values():
        outcomes: Tree = {}
        for outcome in state.outcomes.values():
            details: Tree = {}
            for detail in outcome.details:
                entry: Tree = {"title": detail.title, "kind": detail.kind}
                entry["required"] = "yes" if detail.required else "no"
                if detail.kind == "text":
                    entry["max_length"] = detail.max_length
                elif detail.source:
                    entry["source"] = detail.source
                else:
                    entry["choices"] = detail.choice_titles
                details[detail.name] = entry
            outcomes[outcome.name] = {
                "title": outcome.title,
                "to": outcome.to,
                "by": list(outcome.by),
                "details": details,
                "guards": [{g.name: g.argument} if g.argument else g.name for g in outcome.guards],
                "effects": list(outcome.effects),
            }
        actions = []
        for action in state.actions:
            entry = {action.kind: action.target, "when": action.when}
            actions.append(entry | ({"template": action.template} if action.template else {}))
        states[state.name] = {
            "title": state.title,
            "payments": state.payments,
            "actions": actions,
            "outcomes": outcomes,
        }
    return {"pipeline": pipeline.name, "version": pipeline.version, "start": pipeline.start, "states": states}


@given(trees())
def test_a_valid_file_says_the_same_after_loading(tree: Tree) -> None:
    assert as_tree(load(written(tree))) == tree


@given(trees(bare=True))
def test_a_pipeline_is_kept_by_its_text_or_as_json(tree: Tree) -> None:
    text = written(tree)
    pipeline = load(text)
    assert pipeline.id == pipeline_id("drawn", text)
    assert load(pipeline.text) == pipeline
    assert msgspec.json.decode(msgspec.json.encode(pipeline), type=Pipeline) == pipeline


def loaded(text: str) -> Pipeline | PipelineError:
    """Any other exception lets the test fail."""
    try:
        return load(text)
    except PipelineError as error:
        return error


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The standard file with a few pieces taken out, doubled, swapped or replaced."""
    text = standard().text
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.integers(0, 40)))
        piece = draw(
            st.one_of(
                st.just(""),
                st.just(text[begin:end] * 2),
                st.text(max_size=10),
                st.sampled_from(
                    [": ", "- ", "\n", "{", "]", "&a ", "*a", "!", "|", ">", "'", '"', "#", "\t", "? "]
                ),
            )
        )
        text = text[:begin] + piece + text[end:]
    return text


@given(damaged())
def test_a_damaged_standard_file_is_a_pipeline_or_an_error_with_lines(text: str) -> None:
    lines = 2 + sum(text.count(end) for end in "\n\r\x85\u2028\u2029")
    result = loaded(text)
    if isinstance(result, Pipeline):
        assert result.text == text
    else:
        assert result.problems
        assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in result.problems)


@st.composite
def damaged_lines(draw: st.DrawFn) -> str:
    """The standard file with lines that changed their places or are gone: still YAML more often than not."""
    lines = standard().text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        source, target = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
        line = lines.pop(source)
        if draw(st.booleans()):
            lines.insert(target, line)
    return "".join(lines)


@given(damaged_lines())
def test_a_standard_file_with_lines_moved_about_never_leads_nowhere(text: str) -> None:
    result = loaded(text)
    if isinstance(result, Pipeline):
        assert all(move.outcome.to in result.states for move in result.moves())
    else:
        assert result.problems


@given(st.text(max_size=200))
def test_any_text_at_all_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(PipelineError, match="pipeline:"):
        load(text)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.sampled_from([move.outcome for move in standard().moves()]),
    json | st.dictionaries(st.sampled_from(["reason", "line", "defects", "note", "condition"]), json),
)
def test_details_are_right_exactly_when_they_have_no_faults(outcome: Outcome, sent: object) -> None:
    valid = {"lines": ("A", "B"), "defects": ("paint", "gap")}
    faults = details_faults(outcome, sent, valid)
    assert all(fault.pointer.startswith("/details") for fault in faults)
    if not faults:
        given_details = sent or {}
        assert isinstance(given_details, dict)
        asked = {detail.name for detail in outcome.details}
        assert set(given_details) <= asked
        assert all(given_details.get(detail.name) for detail in outcome.details if detail.required)

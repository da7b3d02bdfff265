"""The machine for Step Functions does what the pipeline says; asl-validator finds nothing wrong with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from dealerflow.pipeline.asl import MAX_BYTES, TooLongForAws, asl_of, asl_text
from dealerflow.pipeline.definition import Move, Pipeline, State
from dealerflow.pipeline.loader import load, standard
from tests.unit.pipeline.generated import Tree, trees, written
from tests.unit.pipeline.machines import begin, decide, fail, waits

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "infra" / "standard.asl.json"
EXAMPLES = ROOT / "docs" / "how-to" / "examples"
LOCK = ROOT / "scripts" / "asl-validator" / "package-lock.json"
A_DAY = 24 * 3600
SMALL = """\
pipeline: small
version: 3
start: a
states:
  a: {title: 'It says ${UpdateStatus} “here”', outcomes: {go: {title: Go, by: dealer, to: b}}}
  b: {title: B, actions: {event: CarReady}}
"""


def entering(state: str) -> dict[str, Any]:
    """What an execution is started with."""
    return {"order": "ord_1", "state": state, "decision": {"step": "stp_1", "outcome": None}}


def named(move: Move) -> str:
    return f"{move.source}-{move.outcome.name}"


@pytest.fixture(scope="session")
def validator() -> str:
    """The path of asl-validator, which the project's own script brings along; a clear failure without it."""
    found = subprocess.run(
        [ROOT / "scripts" / "ensure-asl-validator"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_the_validator_accepts_the_committed_machine_and_those_of_other_pipelines(
    validator: str, tmp_path: Path
) -> None:
    others = {path.parent.name: load(path.read_text("utf-8")) for path in EXAMPLES.glob("*/pipeline.yaml")}
    assert "registration" in others["registration"].states
    paths = [COMMITTED]
    for name, pipeline in {**others, "small": load(SMALL)}.items():
        for partition in ("aws", "aws-cn", "aws-us-gov"):
            paths.append(tmp_path / f"{name}-{partition}.json")
            paths[-1].write_text(asl_text(pipeline, partition), "utf-8")
    arguments = [word for path in paths for word in ("--json-path", str(path))]
    said = subprocess.run([validator, *arguments], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.count("is valid") == len(paths)

    machine = asl_of(standard())  # and it does look: one that leads nowhere is refused
    machine["States"]["order_placed"]["Next"] = "nowhere"
    (tmp_path / "broken.json").write_text(json.dumps(machine), "utf-8")
    broken = [validator, "--json-path", str(tmp_path / "broken.json")]
    assert subprocess.run(broken, capture_output=True, check=False).returncode == 1


def test_the_lock_of_the_validator_has_hashes_and_no_addresses() -> None:
    packages = json.loads(LOCK.read_text("utf-8"))["packages"]
    assert packages["node_modules/asl-validator"]["version"] == "4.0.0"
    assert all(name == "" or package["integrity"] for name, package in packages.items())
    assert not [name for name, package in packages.items() if "resolved" in package]


def test_the_committed_machine_is_that_of_the_standard_pipeline() -> None:
    assert COMMITTED.read_text("utf-8") == asl_text(standard()), "run: make docs"


@pytest.mark.parametrize("state", standard().states)
def test_an_execution_begins_in_the_state_that_it_is_told(state: str) -> None:
    walk = begin(asl_of(standard()), entering(state))
    assert walk.at == state
    assert len(walk.called) == 1
    token = {} if standard().state(state).final else {"token": "a token"}
    assert walk.told == {
        "order": "ord_1",
        "state": state,
        "decision": {"step": "stp_1", "outcome": None},
        "execution": "exc_1",
        "started": "2026-01-31T12:00:00.000Z",
        "entered": "2026-01-31T12:00:01.000Z",
        **token,
    }


@pytest.mark.parametrize("move", list(standard().moves()), ids=named)
def test_a_decision_leads_to_the_task_of_the_next_state(move: Move) -> None:
    machine = asl_of(standard())
    walk = decide(machine, begin(machine, entering(move.source)), move.outcome.name)
    assert walk.at == walk.told["state"] == move.outcome.to
    assert walk.told["decision"] == {"outcome": move.outcome.name, "step": "stp_2"}


def test_an_execution_carries_no_more_after_many_decisions_than_after_one() -> None:
    machine = asl_of(standard())
    walk = begin(machine, entering("production_started"))
    sizes = []
    for _ in range(50):
        for outcome in ("finish", "fail", "rework"):
            walk = decide(machine, walk, outcome)
        sizes.append(len(json.dumps(walk.data)))
    assert len(set(sizes)) == 1


def test_only_ends_do_not_wait_and_each_of_them_ends_the_execution() -> None:
    machine = asl_of(standard())
    for state in standard().states.values():
        task = machine["States"][state.name]
        assert task["Resource"].endswith(".waitForTaskToken") is not state.final
        assert task.get("End", False) is state.final
        if state.final:
            assert task["ResultPath"] is None  # what the function answers is not kept


def test_what_the_pipeline_does_not_know_fails_with_a_cause_that_names_it() -> None:
    machine = asl_of(standard())
    lost = begin(machine, entering("at_the_moon"))
    assert machine["States"][lost.at]["Error"] == "UnknownState"
    assert "$.state" in machine["States"][lost.at]["CausePath"]
    refused = decide(machine, begin(machine, entering("order_placed")), "hand_over")
    assert machine["States"][refused.at]["Error"] == "UnknownOutcome"
    assert "$.decision.outcome" in machine["States"][refused.at]["CausePath"]
    assert refused.called == begin(machine, entering("order_placed")).called


@pytest.mark.parametrize("state", standard().states)
def test_an_outage_of_a_day_fails_no_execution_and_its_end_is_soon_noticed(state: str) -> None:
    pauses = waits(asl_of(standard())["States"][state], "States.TaskFailed")
    assert sum(pauses) >= A_DAY
    assert max(pauses) <= 300
    assert len(pauses) * 5 < 25_000  # events that the history of an execution can hold


@pytest.mark.parametrize("state", standard().states)
def test_a_failure_is_tried_again_and_keeps_the_order_where_it_is(state: str) -> None:
    machine = asl_of(standard())
    walk = begin(machine, entering(state))
    assert fail(machine, walk, "Lambda.ServiceException", times=100) == walk


@pytest.mark.parametrize("state", standard().states)
def test_an_execution_that_was_superseded_ends_at_once_and_well(state: str) -> None:
    machine = asl_of(standard())
    ended = fail(machine, begin(machine, entering(state)), "Superseded")
    assert machine["States"][ended.at]["Type"] == "Succeed"


def test_a_task_waits_as_long_as_an_execution_lives() -> None:
    for state in asl_of(standard())["States"].values():
        if state.get("Resource", "").endswith(".waitForTaskToken"):
            assert state["TimeoutSeconds"] == 365 * A_DAY


def test_comments_tell_which_pipeline_it_is_and_what_its_states_do() -> None:
    machine = asl_of(standard())
    for word in (standard().name, "version 1", standard().id):
        assert word in machine["Comment"]
    comments = {name: state.get("Comment", "") for name, state in machine["States"].items()}
    assert comments["order_placed"] == (
        "Waiting for the dealership: mail dealership new_order (first time), "
        "mail customer order_placed (first time)"
    )
    assert comments["quality_check"] == "Quality check: no actions"
    assert comments["quality_passed"].endswith("queue deliveries-{delivery_line}, function estimate_arrival")
    assert comments["quality_passed decided"] == "load when the load departs, by delivery_lead"


@given(trees())
def test_every_pipeline_becomes_a_machine_that_goes_its_ways(tree: Tree) -> None:
    pipeline = load(written(tree))
    machine = json.loads(asl_text(pipeline))
    assert all(0 < len(name) <= 80 for name in machine["States"])
    states = machine["States"].values()
    targets = {
        rule["Next"] for state in states for rule in (*state.get("Choices", ()), *state.get("Catch", ()))
    }
    targets |= {state[way] for state in states for way in ("Next", "Default") if way in state}
    assert targets | {machine["StartAt"]} == set(machine["States"])  # AWS refuses what cannot be reached
    for move in pipeline.moves():
        assert decide(machine, begin(machine, entering(move.source)), move.outcome.name).at == move.outcome.to


def test_the_same_pipeline_gives_the_same_text() -> None:
    assert asl_text(load(standard().text)) == asl_text(standard())


def test_a_machine_that_aws_would_refuse_is_told_before() -> None:
    assert len(asl_text(standard()).encode()) < MAX_BYTES // 10
    state = standard().states["ended"]
    many = {f"s{number}": State(name=f"s{number}", title=state.title) for number in range(2000)}
    huge = Pipeline(name="huge", version=1, id="huge-1", text="", start="s0", states=many)
    with pytest.raises(TooLongForAws, match="Step Functions takes 1048576"):
        asl_text(huge)

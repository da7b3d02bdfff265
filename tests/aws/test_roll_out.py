"""docs/how-to/roll-out-a-pipeline.md, done: another version is deployed while orders of the one before are under way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from dealerflow.adapters.aws.names import Names
from dealerflow.pipeline.loader import load, standard
from dealerflow.pipeline.vocabulary import STANDARD
from tests.aws.building import built
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.postgres import PostgresServer
from tests.stories.driver import Order, People
from tests.stories.on_aws import STACK, OnAws, post_office
from tests.stories.usual_way import take

NAMES = Names(stack=STACK, region=REGION, account=ACCOUNT)
OLD = standard()
# In the new version a function of one's own says when a car arrives, and a letter of one's own bids farewell.
WORDS = STANDARD.extended(templates={"farewell": "a letter of one's own"})
TEXT = (
    OLD.text.replace("version: 1", "version: 2")
    .replace("function: estimate_arrival", "function: harbour.tides:next_ship")
    .replace("template: order_thanks", "template: farewell")
)
NEW = load(TEXT, vocabulary=WORDS)
TIDES = """
from dealerflow.application.functions import FunctionCall


def next_ship(call: FunctionCall) -> dict[str, str]:
    return {"ship": "for " + call.model}
"""
FAREWELL = """
{% extends layout %}
{% block subject %}Farewell{% endblock %}
{% block body %}{% call p() %}Come back.{% endcall %}{% endblock %}
"""


def installation_of_ones_own(folder: Path) -> Path:
    """What docs/how-to/extend-on-aws.md has somebody write."""
    files = {
        "dealerflow.toml": 'pipeline = "life.yaml"\ntemplates = "letters"\n',
        "life.yaml": TEXT,
        "letters/en/farewell.j2": FAREWELL,
        "harbour/__init__.py": "",
        "harbour/tides.py": TIDES,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


class RollOut:
    """An installation on an emulator of its own, with the old version, and how to bring it the new one."""

    def __init__(self, emulator: Emulator, server: PostgresServer, template: str) -> None:
        self.emulator = emulator
        self._parameters = {"DatabaseUrl": server.url(server.create_database(template=template))}
        outputs = emulator.deploy(STACK, built(), self._parameters)
        self._catcher = post_office(emulator)
        url = self._parameters["DatabaseUrl"]
        self.installation = OnAws(emulator, outputs, self._catcher, url, nullcontext)

    def deploys(self, own: Path) -> bytes:
        """What `make build OWN=…` and `sam deploy` do, and then the function `prepare`, with its answer."""
        self.emulator.update(STACK, built(own), self._parameters)
        self._catcher.stop()
        self._catcher = post_office(self.emulator)
        return self.installation.call("prepare", {})

    def executions(self, pipeline: str) -> dict[str, str]:
        """Order → how its execution stands, in the state machine of this version."""
        client = self.emulator.client("stepfunctions")
        found = client.list_executions(stateMachineArn=NAMES.state_machine_arn(pipeline))["executions"]
        return {one["name"].partition("-")[0]: one["status"] for one in found}

    def stop(self) -> None:
        """End what was started for it."""
        self._catcher.stop()


@pytest.fixture
def roll_out(postgres: PostgresServer, demo_database: str, tmp_path: Path) -> Iterator[RollOut]:
    emulator = Emulator(tmp_path / "log")
    try:
        roll_out = RollOut(emulator, postgres, demo_database)
        with roll_out.installation.running():
            yield roll_out
        roll_out.stop()
    finally:
        emulator.stop()


def facts(order: Order) -> dict[str, Any]:
    """What functions found out about it."""
    found: dict[str, Any] = order.for_staff["facts"]
    return found


def test_orders_end_in_the_machine_of_their_version_unless_they_are_moved(
    roll_out: RollOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People(roll_out.installation)
    stays, moves = (people.customer.orders("northside").reaches("order_placed") for _ in range(2))
    take(people, "quality_check", stays, moves)

    own = installation_of_ones_own(tmp_path / "own")
    assert json.loads(roll_out.deploys(own))["pipeline"] == NEW.id
    fresh = people.customer.orders("northside").reaches("order_placed")
    assert roll_out.executions(OLD.id) == {stays.id: "RUNNING", moves.id: "RUNNING"}
    assert roll_out.executions(NEW.id) == {fresh.id: "RUNNING"}

    take(people, "ended", stays)
    assert facts(stays).keys() == {"estimated_arrival"}, "the old version's function was called"
    assert roll_out.executions(OLD.id)[stays.id] == "SUCCEEDED"

    command = roll_out.installation.command
    with pytest.raises(AssertionError, match=f"follow the pipeline {NEW.id}, and this program has {OLD.id}"):
        command("pipeline", "move", OLD.id)
    monkeypatch.setenv("DEALERFLOW_DATA", str(own))
    assert command("pipeline", "move", OLD.id) == f"1 would move to {NEW.id}\n"
    assert roll_out.executions(NEW.id).keys() == {fresh.id}
    mails = len(people.mails(moves))
    assert command("pipeline", "move", OLD.id, "--yes") == f"1 moved to {NEW.id}\n"
    people.settles()
    assert roll_out.executions(OLD.id)[moves.id] == "ABORTED"
    assert roll_out.executions(NEW.id) == {fresh.id: "RUNNING", moves.id: "RUNNING"}
    assert (moves.state, len(people.mails(moves))) == ("quality_check", mails), "nobody is told again"

    take(people, "ended", moves, fresh)
    assert facts(moves) == facts(fresh) == {"ship": "for meridian"}, "one's own function was called"
    assert "farewell" in {template for template, _ in people.letters(fresh)}, "one's own letter was sent"
    assert roll_out.executions(NEW.id) == {fresh.id: "SUCCEEDED", moves.id: "SUCCEEDED"}
    assert people.audit() == []

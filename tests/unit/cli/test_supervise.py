from __future__ import annotations

from pathlib import Path

import pytest

from dealerflow.cli.plan import Plan
from dealerflow.cli.supervise import environment

PRIVATE = "DEALERFLOW_WEBHOOKS_TO_PRIVATE_ADDRESSES"


def plan(tmp_path: Path, *, demo: bool) -> Plan:
    return Plan(data=str(tmp_path), host="127.0.0.1", port=8000, demo=demo)


def test_in_a_demo_webhooks_of_dealerships_reach_this_machine(tmp_path: Path) -> None:
    assert environment(plan(tmp_path, demo=True), {})[PRIVATE] == "true"
    assert PRIVATE not in environment(plan(tmp_path, demo=False), {})


@pytest.mark.parametrize("said", ["true", "false"])
def test_what_the_operator_says_about_webhooks_comes_first(tmp_path: Path, said: str) -> None:
    assert environment(plan(tmp_path, demo=True), {PRIVATE: said})[PRIVATE] == said

"""The template deploys as it is: through CloudFormation, on the emulator."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.aws.conftest import NO_DATABASE, STACK
from tests.aws.emulator import DeploymentFailed, Emulator
from tests.aws.template import FUNCTION, load


def test_everything_without_a_condition_is_made(outputs: dict[str, str], emulator: Emulator) -> None:
    made = emulator.resources(STACK)
    assert outputs
    assert {name for name, resource in load().resources.items() if "Condition" not in resource} <= set(made)
    assert "AWS::RDS::DBInstance" not in made.values(), "the functions were given a database"


def test_the_api_answers(outputs: dict[str, str], emulator: Emulator) -> None:
    with urllib.request.urlopen(f"{emulator.api_url(outputs['ApiId'])}/healthz") as answer:  # noqa: S310
        assert answer.status == 200
        assert json.load(answer) == {"status": "alive"}


def test_each_function_stands_under_its_name(outputs: dict[str, str], emulator: Emulator) -> None:
    pages = emulator.client("lambda").get_paginator("list_functions").paginate()
    names = {function["FunctionName"] for page in pages for function in page["Functions"]}
    wanted = {properties["FunctionName"]["Fn::Sub"] for _, properties in load().properties(FUNCTION)}
    assert names == {name.replace("${AWS::StackName}", STACK) for name in wanted}


def test_a_deployment_that_fails_says_why(build: Path, tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "log")
    try:
        with pytest.raises(DeploymentFailed, match="Runtime"):
            emulator.deploy(STACK, build, {"DatabaseUrl": NO_DATABASE, "Runtime": "python2.7"})
    finally:
        emulator.stop()

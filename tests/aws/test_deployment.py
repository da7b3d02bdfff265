"""The template deploys as it is: through CloudFormation, on the emulator."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.aws.building import SAM
from tests.aws.conftest import NO_DATABASE, STACK
from tests.aws.emulator import PARAMETERS, REGION, ROOT, DeploymentFailed, Emulator
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


def test_network_and_database_fit_together(build: Path, tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "log")
    try:
        # NAT gateway, proxy and archive are what the emulator does not know.
        outputs = emulator.deploy(STACK, build, {"DatabaseUrl": "", "NatGateway": "no", "UseRdsProxy": "no"})
        made = emulator.resources(STACK)
        function = emulator.client("lambda").get_function_configuration(FunctionName=f"{STACK}-orders")
        secret = emulator.client("secretsmanager").get_secret_value(SecretId=f"{STACK}/database")
    finally:
        emulator.stop()
    conditions = {resource.get("Condition") for resource in load().resources.values()}
    assert conditions == {
        None,
        "OwnNetwork",
        "Nat",
        "Endpoints",
        "Proxy",
        "OwnDomain",
        "AlarmsMailed",
        "LateAlarms",
        "Archive",
    }
    wanted = {
        name
        for name, resource in load().resources.items()
        if resource.get("Condition") in {None, "OwnNetwork", "Endpoints"}
    }
    assert wanted <= set(made)
    assert function["Environment"]["Variables"]["DEALERFLOW_DATABASE_HOST"] == outputs["DatabaseEndpoint"]
    assert {"username", "password", "host"} <= set(json.loads(secret["SecretString"]))


def test_sam_deploy_itself_takes_what_sam_build_made(build: Path, tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "log")
    parameters = {**PARAMETERS, "DatabaseUrl": NO_DATABASE}
    environment = {
        **os.environ,
        "SAM_CLI_TELEMETRY": "0",
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    try:
        done = subprocess.run(
            [
                SAM, "deploy", "--template-file", build / "template.yaml",
                "--config-file", ROOT / "infra" / "samconfig.default.toml",
                "--no-confirm-changeset", "--region", REGION,
                "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items()),
            ],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        made = emulator.resources(STACK) if done.returncode == 0 else {}
    finally:
        emulator.stop()
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "WebFunction" in made


def test_a_deployment_that_fails_says_why(build: Path, tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "log")
    try:
        with pytest.raises(DeploymentFailed, match="Runtime"):
            emulator.deploy(STACK, build, {"DatabaseUrl": NO_DATABASE, "Runtime": "python2.7"})
    finally:
        emulator.stop()

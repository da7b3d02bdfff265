"""The installation on AWS as a person at a command line reaches it: by its stack's name, with the person's own rights.

What the installation is set to is read from the stack itself (the environment of its function `web`), so that both agree;
what the person's environment says comes first. The database is reached through a tunnel: DEALERFLOW_DATABASE_URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls, code_of
from dealerflow.adapters.database import schema
from dealerflow.composition.aws import AwsSystem
from dealerflow.composition.settings import PREFIX, Settings, WrongSetting, settings_of

DATABASE = ("DATABASE_URL", "DATABASE_HOST", "DATABASE_NAME")
# A role's credentials and the addresses inside of Lambda are not for a person; nor is how the functions log.
NOT_FOR_PEOPLE = frozenset({"LOG_LEVEL"})


def reached(data: Path, environment: Mapping[str, str], stack: str) -> AwsSystem:
    """The installation of this stack. Raises WrongSetting, Outage, and OtherVersion where this program does not fit it."""
    region = _region(environment)
    clients = Clients(region)
    arn, theirs = _function_web(clients, stack, region)
    settings = settings_of(data, _merged(theirs, environment), stack=stack, account=arn.split(":")[4])
    _check_database(settings)
    system = AwsSystem(settings, clients, region=region, partition=arn.split(":")[1])
    try:
        _check_versions(system)
        _check_pipeline(system, theirs.get("DEALERFLOW_STATE_MACHINE"))
    except BaseException:
        system.close()
        raise
    return system


class OtherVersion(WrongSetting):
    """This program and the installation do not belong together."""


def _region(environment: Mapping[str, str]) -> str:
    try:
        # AWS_REGION is what most of AWS's tools and SDKs read; this one reads AWS_DEFAULT_REGION and the profile.
        region = environment.get("AWS_REGION") or boto3.session.Session().region_name
    except BotoCoreError as error:  # a profile that does not exist
        raise WrongSetting(f"AWS cannot be used: {error}") from error
    if not region:
        raise WrongSetting("say in which region the stack is: set AWS_REGION")
    return region


def _function_web(clients: Clients, stack: str, region: str) -> tuple[str, dict[str, str]]:
    """Its ARN, and its environment."""
    with aws_calls("Lambda"):
        try:
            found = clients.functions.get_function_configuration(FunctionName=f"{stack}-web")
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            raise WrongSetting(
                f"there is no Dealerflow called {stack} in {region}: DEALERFLOW_STACK is the name of its CloudFormation stack"
            ) from error
    return found["FunctionArn"], dict(found.get("Environment", {}).get("Variables", {}))


def _merged(theirs: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The stack's settings, under those of the person. How to reach the database is one thing: it comes whole from one side."""
    kept = {
        name: value
        for name, value in theirs.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in NOT_FOR_PEOPLE
    }
    if any(own.get(PREFIX + name) for name in DATABASE):
        kept = {name: value for name, value in kept.items() if name.removeprefix(PREFIX) not in DATABASE}
    return {**kept, **own}


def _check_database(settings: Settings) -> None:
    if not settings.database_host and settings.database_url.startswith("sqlite"):
        raise WrongSetting(
            f"the database of {settings.stack} cannot be reached from here: open a tunnel to it and set "
            "DEALERFLOW_DATABASE_URL, say postgresql+psycopg://USER:PASSWORD@localhost:5432/dealerflow"
        )


def _check_versions(system: AwsSystem) -> None:
    """A command that knows other tables than the functions would do harm."""
    revision = schema.revision(system.engine)
    if revision != schema.HEAD:
        raise OtherVersion(
            f"the database of {system.settings.stack} is at revision {revision or 'none'}, this program needs {schema.HEAD}: "
            "use the version of Dealerflow that is deployed, or deploy this one and call its function prepare"
        )


def _check_pipeline(system: AwsSystem, state_machine: str | None) -> None:
    """So would one that follows another pipeline: it would move orders to it. `state_machine` is that of new orders there."""
    stack, here = system.settings.stack, system.pipeline.id
    there = (state_machine or here).removeprefix(f"{stack}-")
    if there != here:
        raise OtherVersion(
            f"new orders of {stack} follow the pipeline {there}, and this program has {here}: use the version of "
            "Dealerflow that is deployed, and name the folder that it was built with in DEALERFLOW_DATA, or its pipeline file in "
            "DEALERFLOW_PIPELINE"
        )
    if here not in system.pipelines.stored():
        raise OtherVersion(f"{stack} does not know the pipeline {here} yet: call its function prepare")

"""The real template on the emulator: what `sam build` made, deployed through CloudFormation as `sam deploy` does it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from tests.ministack import ACCOUNT, REGION, MiniStack

ROOT = Path(__file__).parents[2]
ARTIFACTS = "artifacts"  # the bucket that `sam deploy` would make
DEPLOY_SECONDS = 120

# The functions run on this machine's own Python, so the bundles are built for it.
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
# What the emulator cannot do is behind a condition; DatabaseUrl (no network, no RDS) is given with each deployment.
# (And its event sources stumble over a bound that is a parameter: CloudFormation hands numbers on as text.)
PARAMETERS = {
    "Runtime": RUNTIME,
    "Architecture": ARCHITECTURE,
    "EventArchiveDays": "0",
    "LateAlarms": "no",  # they reckon with several metrics
    "MaxWorkers": "0",
}


class Emulator:
    """AWS on this machine. With `auth` each function may do only what its role allows."""

    def __init__(self, log: Path, *, auth: bool = False) -> None:
        self._server = MiniStack(log, **({"AUTH": "true"} if auth else {}))
        self._auth = auth
        self.log = log

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return self._server.url

    def client(self, service: str) -> Any:
        """A client of boto3."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )

    def deploy(self, stack: str, build: Path, parameters: Mapping[str, str]) -> dict[str, str]:
        """Package what `sam build` left in `build`, create the stack, and wait; its outputs. Raises DeploymentFailed."""
        self.client("s3").create_bucket(Bucket=ARTIFACTS)
        return self._carry_out("create", stack, build, parameters)

    def update(self, stack: str, build: Path, parameters: Mapping[str, str]) -> dict[str, str]:
        """The same for a stack that is there."""
        return self._carry_out("update", stack, build, parameters)

    def _carry_out(self, what: str, stack: str, build: Path, parameters: Mapping[str, str]) -> dict[str, str]:
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        template = packaged(build, lambda name, body: s3.put_object(Bucket=ARTIFACTS, Key=name, Body=body))
        if self._auth:
            say_as_the_emulator_asks(template)
        s3.put_object(Bucket=ARTIFACTS, Key="template.json", Body=json.dumps(template).encode())
        given = {**PARAMETERS, **parameters}
        try:
            getattr(cloudformation, f"{what}_stack")(
                StackName=stack,
                TemplateURL=f"{self.url}/{ARTIFACTS}/template.json",  # too long to be sent along
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
            cloudformation.get_waiter(f"stack_{what}_complete").wait(
                StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": DEPLOY_SECONDS}
            )
        except (ClientError, WaiterError) as error:
            raise DeploymentFailed(f"{error}\n" + "\n".join(self._reasons(stack))) from error
        [made] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}
        if self._auth:
            # It refuses what comes without TLS, as it must; and the emulator speaks plain HTTP.
            s3.delete_bucket_policy(Bucket=outputs["SnapshotsBucket"])
        return outputs

    def _reasons(self, stack: str) -> Iterator[str]:
        try:
            events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        except ClientError:
            return
        for event in reversed(events):
            if "FAILED" in event["ResourceStatus"]:
                yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"

    def resources(self, stack: str) -> dict[str, str]:
        """Logical id -> type, of what the stack has made."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        return {
            each["LogicalResourceId"]: each["ResourceType"]
            for page in pages
            for each in page["StackResourceSummaries"]
        }

    def api_url(self, api_id: str) -> str:
        """Where an HTTP API answers here; on AWS that is output ApiUrl."""
        return f"{self.url}/_aws/execute-api/{api_id}/$default"

    def ses_messages(self) -> list[dict[str, Any]]:
        """The mails that were sent."""
        with urllib.request.urlopen(f"{self.url}/_ministack/ses/messages") as answer:  # noqa: S310 - http, ours
            return json.load(answer)["messages"]  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Forget everything, the stack too."""
        self._server.reset()

    def stop(self) -> None:
        """End it and the functions that it runs."""
        self._server.stop()


class DeploymentFailed(Exception):
    """CloudFormation gave up; the message has its reasons."""


# IAM knows these by the names of the single calls; the emulator asks for rights of their own.
BATCHES = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
    "sns:Publish": "sns:PublishBatch",
}


# It does not see whose identity sends a mail, nor whose token it is that is answered.
UNSEEN = {"ses:SendEmail", "states:SendTaskSuccess", "states:SendTaskFailure"}


def say_as_the_emulator_asks(template: Any) -> None:
    """Change the rights in this (built) template where the emulator asks for others than AWS, and only there."""
    if isinstance(template, dict):
        if template.get("Effect") == "Allow" and "Action" in template:
            given = template["Action"] if isinstance(template["Action"], list) else [template["Action"]]
            template["Action"] = [*given, *(BATCHES[action] for action in given if action in BATCHES)]
            if UNSEEN & set(given):
                template["Resource"] = "*"
        for value in template.values():
            say_as_the_emulator_asks(value)
    elif isinstance(template, list):
        for value in template:
            say_as_the_emulator_asks(value)


def packaged(build: Path, upload: Any) -> dict[str, Any]:
    """The built template with everything local uploaded (`upload(name, bytes)`) and named by its place in S3."""
    template: dict[str, Any] = yaml.safe_load((build / "template.yaml").read_text())
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {}) if isinstance(resource, dict) else {}
        if "CodeUri" in properties:
            body = zipped(build / properties["CodeUri"], build.with_name("zips"))
            properties["CodeUri"] = _uploaded(upload, body, ".zip")
        elif "DefinitionUri" in properties:
            body = (build / properties["DefinitionUri"]).read_bytes()
            properties["DefinitionUri"] = _uploaded(upload, body, ".json")
    return template


def _uploaded(upload: Any, body: bytes, suffix: str) -> str:
    name = hashlib.sha256(body).hexdigest()[:32] + suffix
    upload(name, body)
    return f"s3://{ARTIFACTS}/{name}"


def zipped(bundle: Path, cache: Path) -> bytes:
    """The bundle as a zip. What several bundles share (by hard links) is compressed once, and kept in `cache`."""
    files = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
    shared = [path for path in files if path.stat().st_nlink > 1]
    key = hashlib.sha256(
        "\n".join(f"{path.relative_to(bundle)} {path.stat().st_ino}" for path in shared).encode()
    )
    cache.mkdir(parents=True, exist_ok=True)
    base = cache / f"{key.hexdigest()[:32]}.zip"
    if not base.exists():
        own = base.with_suffix(f".{os.getpid()}")  # several processes may come to it at once
        _add(own, bundle, shared)
        own.rename(base)
    whole = BytesIO(base.read_bytes())
    _add(whole, bundle, [path for path in files if path.stat().st_nlink == 1])
    return whole.getvalue()


def _add(archive: Path | BytesIO, bundle: Path, files: Iterable[Path]) -> None:
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for path in files:
            out.write(path, path.relative_to(bundle))


__all__ = ["ACCOUNT", "REGION", "DeploymentFailed", "Emulator", "packaged", "zipped"]

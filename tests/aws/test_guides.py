"""What the guides for AWS say is what the template has, and their example works beside the stack."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dealerflow.adapters.aws.names import Names
from tests.aws.conftest import STACK
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.aws.template import load
from tests.docs.documents import DOCS

DEPLOY = (DOCS / "how-to" / "deploy-on-aws.md").read_text("utf-8")
EXAMPLE = DOCS / "how-to" / "examples" / "aws" / "template.yaml"
NAMES = Names(stack=STACK, region=REGION, account=ACCOUNT)
PATIENCE_SECONDS = 20


def test_the_guide_explains_every_parameter_of_the_template() -> None:
    table = DEPLOY.split("| parameter | is |")[1].split("\n\n")[0]
    told = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert told == set(load().data["Parameters"])


def test_the_guide_names_only_outputs_and_resources_that_there_are() -> None:
    outputs = set(re.findall(r"OutputKey=='(\w+)'", DEPLOY))
    resources = set(re.findall(r'resource "?(\w+)"?\)', DEPLOY))
    assert outputs
    assert outputs <= set(load().data["Outputs"])
    assert resources
    assert resources <= set(load().resources)


@pytest.fixture(scope="module")
def example(outputs: dict[str, str], emulator: Emulator) -> Iterator[dict[str, str]]:
    """The example, deployed beside the stack as the guide says; its outputs."""
    assert outputs
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_stack(
        StackName="film", TemplateBody=EXAMPLE.read_text("utf-8"), Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="film", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    [made] = cloudformation.describe_stacks(StackName="film")["Stacks"]
    yield {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}
    cloudformation.delete_stack(StackName="film")


def received(emulator: Emulator, queue: str) -> list[Any]:
    """What lies in the queue, as soon as there is something."""
    sqs = emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        if messages := answer.get("Messages"):
            return [json.loads(message["Body"]) for message in messages]
    raise AssertionError(f"nothing came to {queue}")


def test_the_function_of_the_example_answers_facts(example: dict[str, str], emulator: Emulator) -> None:
    call = {"key": "stp_01kabcdef:0", "order": "ord_1", "colour": "pearl-white"}
    answer = emulator.client("lambda").invoke(
        FunctionName=example["FunctionArn"], Payload=json.dumps(call).encode()
    )
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read()) == {"film_roll": "pearl-white-cdef:0"}


def test_the_subscription_of_the_example_hears_of_failed_quality(
    example: dict[str, str], emulator: Emulator
) -> None:
    assert example
    told = {"type": "dealerflow.command.PublishToTopic", "subject": "ord_1"}
    topic = NAMES.topic_arn("quality-alerts")
    emulator.client("sns").publish(TopicArn=topic, Message=json.dumps(told))
    assert received(emulator, "quality-board") == [told]


def test_the_rule_of_the_example_hears_only_what_it_asks_for(
    example: dict[str, str], emulator: Emulator
) -> None:
    assert example
    happened = [("CarHandedOver", "lakeside"), ("OrderMoved", "northside"), ("CarHandedOver", "northside")]
    entries = [
        {
            "EventBusName": NAMES.bus,
            "Source": "dealerflow",
            "DetailType": what,
            "Detail": json.dumps({"data": {"dealership": dealership}}),
        }
        for what, dealership in happened
    ]
    assert emulator.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0
    [heard] = received(emulator, "registrations")
    assert heard["detail-type"] == "CarHandedOver"
    assert heard["detail"] == {"data": {"dealership": "northside"}}

"""What the guides for AWS say is what the template has, and their example works beside the stack."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.embedded.backup import SKIPPED_VINS
from tests.aws.conftest import STACK
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.aws.template import load
from tests.docs.documents import DOCS, blocks
from tests.postgres import PostgresServer

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


def test_after_a_restore_numbers_go_on_where_nothing_was_given_out(
    postgres: PostgresServer, demo_database: str
) -> None:
    [statements] = [block.text for block in blocks(DEPLOY) if block.language == "sql"]
    url = postgres.url(postgres.create_database(template=demo_database))
    engine = open_engine(url, connections=1)
    plants = "SELECT sum(last_vin), count(*) FROM plants"
    with engine.connect() as connection:
        before, count = connection.execute(sa.text(plants)).one()
    for times in (1, 2):
        with engine.connect() as connection:
            connection.exec_driver_sql(statements)
            said = connection.execute(sa.text("SELECT value FROM settings WHERE name = 'restored'")).scalar()
            assert said == str(times)
            assert connection.execute(sa.text(plants)).one() == (before + times * SKIPPED_VINS * count, count)
    engine.dispose()


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

"""docs/how-to/extend-on-aws.md, done: a pipeline with a Lambda and a queue of one's own, deployed, and a car led through it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from dealerflow.adapters.aws.names import Names
from dealerflow.pipeline.loader import standard
from tests.aws.building import built
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.docs.documents import DOCS
from tests.postgres import PostgresServer
from tests.stories.driver import Order, People
from tests.stories.on_aws import STACK, OnAws, post_office
from tests.stories.usual_way import take

EXAMPLE = DOCS / "how-to" / "examples" / "aws" / "template.yaml"
NAMES = Names(stack=STACK, region=REGION, account=ACCOUNT)
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reserve-film"
QUEUE, QUEUE_URL = "film-shop", f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/film-shop"
OURS = {
    "OwnFunctionArns": FUNCTION,
    "OwnQueueUrls": f"{QUEUE}={QUEUE_URL}",
    "OwnQueueArns": f"arn:aws:sqs:{REGION}:{ACCOUNT}:film-shop",
}


def changed(own: Path) -> Path:
    """A folder with both on the state in which a car has passed its check, built in."""
    text = standard().text.replace(
        "      - function: estimate_arrival\n", f"      - function: {FUNCTION}\n      - queue: {QUEUE}\n"
    )
    (own / "dealerflow.toml").write_text('pipeline = "pipeline.yaml"\n', "utf-8")
    (own / "pipeline.yaml").write_text(text, "utf-8")
    return built(own)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One of its own: the stack of the other tests has another pipeline."""
    emulator = Emulator(tmp_path_factory.mktemp("own-parts") / "log")
    yield emulator
    emulator.stop()


@pytest.fixture(scope="module")
def passed(
    emulator: Emulator,
    postgres: PostgresServer,
    demo_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[People, Order]]:
    """A car that has passed its quality check, in an installation with parts of our own."""
    url = postgres.url(postgres.create_database(template=demo_database))
    own = tmp_path_factory.mktemp("own")
    outputs = emulator.deploy(STACK, changed(own), {**OURS, "DatabaseUrl": url})
    emulator.client("cloudformation").create_stack(
        StackName="film", TemplateBody=EXAMPLE.read_text("utf-8"), Capabilities=["CAPABILITY_IAM"]
    )
    catcher = post_office(emulator)
    installed = OnAws(emulator, outputs, catcher, url, nullcontext)
    with pytest.MonkeyPatch.context() as environment, installed.running() as installation:
        environment.setenv("DEALERFLOW_DATA", str(own))  # so that the command line has this pipeline too
        dealerflow = People(installation)
        order = dealerflow.customer.orders("northside", trim="touring", colour="pearl-white")
        take(dealerflow, "quality_passed", order)
        dealerflow.settles()
        yield dealerflow, order
    catcher.stop()


def messages(emulator: Emulator, queue: str) -> list[Any]:
    """What lies in the queue."""
    sqs = emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_what_a_lambda_of_ones_own_answers_is_kept_with_the_order(passed: tuple[People, Order]) -> None:
    _, order = passed
    assert order.for_staff["facts"]["film_roll"].startswith("pearl-white-")
    [returned] = [item for item in order.for_staff["history"] if item["type"] == "FunctionReturned"]
    assert returned["details"]["function"] == FUNCTION


def test_a_queue_of_ones_own_gets_the_car_and_dealerflow_forgets_it(
    passed: tuple[People, Order], emulator: Emulator
) -> None:
    dealerflow, order = passed
    [message] = messages(emulator, QUEUE)
    assert message["type"] == "dealerflow.command.AnnounceCar"
    assert (message["subject"], message["queue"]) == (order.id, QUEUE)
    assert message["data"] == {"type": "AnnounceCar", "order": order.id, "step": order.step}
    assert QUEUE not in {item["details"].get("queue") for item in order.for_staff["history"]}
    assert dealerflow.audit() == []


def test_the_order_waits_in_the_state_machine_of_the_changed_pipeline(
    passed: tuple[People, Order], emulator: Emulator
) -> None:
    _, order = passed
    machines = emulator.client("stepfunctions")
    [machine] = [
        each["stateMachineArn"]
        for each in machines.list_state_machines()["stateMachines"]
        if each["name"].startswith(STACK)
    ]
    assert machine != NAMES.state_machine_arn(standard().id)
    [execution] = machines.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    assert execution["name"].startswith(order.id)


def test_the_rule_hears_of_the_cars_that_were_handed_over(
    passed: tuple[People, Order], emulator: Emulator
) -> None:
    dealerflow, order = passed
    take(dealerflow, "ended", order)
    [heard] = messages(emulator, "registrations")
    assert (heard["source"], heard["detail-type"]) == ("dealerflow", "CarHandedOver")
    assert heard["detail"]["subject"] == order.id
    assert heard["detail"]["data"]["dealership"] == "northside"


def test_the_subscription_hears_of_a_failed_check(passed: tuple[People, Order], emulator: Emulator) -> None:
    dealerflow, _ = passed
    order = dealerflow.customer.orders("northside")
    take(dealerflow, "quality_check", order)
    dealerflow.quality.decides(order, "fail", defects=["paint"])
    order.reaches("quality_failed")
    [heard] = messages(emulator, "quality-board")
    assert heard["type"] == "dealerflow.command.PublishToTopic"
    assert (heard["subject"], heard["data"]["failures"]) == (order.id, 1)


def test_a_lambda_of_ones_own_that_fails_ends_among_the_dead_letters_and_holds_up_no_car(
    passed: tuple[People, Order], emulator: Emulator
) -> None:
    dealerflow, _ = passed
    installation = dealerflow.place
    assert isinstance(installation, OnAws)
    functions = emulator.client("lambda")
    functions.update_function_code(FunctionName="reserve-film", ZipFile=packed("raise ValueError('no film')"))
    order = dealerflow.customer.orders("northside")
    take(dealerflow, "quality_check", order)
    dealerflow.quality.decides(order, "pass")
    dealerflow.until(lambda: _dies(installation, dealerflow), "it was given up")

    [letter] = dealerflow.operator.lists("/queues/functions/dead-letters")
    assert letter["order"] == order.id
    assert "no film" in letter["error"]
    assert order.state == "quality_passed"
    take(dealerflow, "on_delivery", order)

    functions.update_function_code(FunctionName="reserve-film", ZipFile=packed("return {'film_roll': 'new'}"))
    dealerflow.operator.sends("/queues/functions/redrive", {"ids": "all"}, expect=200)
    dealerflow.until(lambda: order.for_staff["facts"].get("film_roll") == "new", "its answer is kept")
    dealerflow.settles()
    assert dealerflow.audit() == []


def _dies(installation: OnAws, dealerflow: People) -> bool:
    installation.leaves_one_attempt("functions")
    return bool(dealerflow.queue("functions")["dead"])


def packed(does: str) -> bytes:
    """The function, doing something else."""
    archive = BytesIO()
    with ZipFile(archive, "w") as code:
        code.writestr("index.py", f"def handler(call, context):\n    {does}\n")
    return archive.getvalue()

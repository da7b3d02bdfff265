"""What everything on AWS is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealerflow.adapters.aws.names import FUNCTIONS, QUEUES, Names
from dealerflow.application import queues
from dealerflow.pipeline.loader import standard

LAMBDAS = Path(__file__).parents[2] / "src" / "dealerflow" / "lambdas"

NAMES = Names(
    stack="cars",
    region="eu-south-2",
    account="123456789012",
    own_queues={"paint-shop": "https://sqs.eu-west-1.amazonaws.com/210987654321/Paint"},
)


@pytest.mark.parametrize(
    "stack", ["", "Cars", "1cars", "-cars", "cars-", "cars_1", "c" * 41, "cars/eu", "coches-ñ"]
)
def test_a_stack_whose_name_some_service_would_not_take_is_refused(stack: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        Names(stack=stack, region="us-east-1", account="123456789012")


@pytest.mark.parametrize("stack", ["a", "cars", "cars-2", "c" * 40])
def test_names_keep_within_what_the_services_take(stack: str) -> None:
    names = Names(stack=stack, region="us-east-1", account="123456789012")
    assert all(len(names.dead_queue_name(queue)) <= 80 for queue in QUEUES)  # SQS
    assert all(len(names.function_name(function)) <= 64 for function in FUNCTIONS)  # Lambda
    assert len(names.bucket) <= 63  # S3
    assert len(names.state_machine(standard().id)) <= 80  # Step Functions


def test_every_queue_of_the_program_has_one_on_aws_but_the_bus() -> None:
    named = {*queues.POLICIES, *queues.OUTSIDE} - {queues.BUS}
    assert {NAMES.physical(queue) for queue in named} == named
    assert named <= set(QUEUES)


def test_delivery_lines_and_queues_that_nobody_mapped_share_one() -> None:
    assert {NAMES.physical(queue) for queue in ("deliveries-north", "deliveries-south", "lacquer")} == {
        "deliveries"
    }


def test_a_queue_of_ones_own_is_where_it_says() -> None:
    assert NAMES.physical("paint-shop") == "paint-shop"
    assert NAMES.queue_url("paint-shop") == "https://sqs.eu-west-1.amazonaws.com/210987654321/Paint"
    assert NAMES.queue_arn("paint-shop") == "arn:aws:sqs:eu-west-1:210987654321:Paint"


def test_urls_and_arns_are_those_of_the_region_and_the_partition() -> None:
    assert NAMES.queue_url("orders") == "https://sqs.eu-south-2.amazonaws.com/123456789012/cars-orders"
    assert (
        NAMES.dead_queue_url("orders") == "https://sqs.eu-south-2.amazonaws.com/123456789012/cars-orders-dead"
    )
    assert NAMES.function_arn("relay") == "arn:aws:lambda:eu-south-2:123456789012:function:cars-relay"
    china = Names(stack="cars", region="cn-north-1", account="123456789012", partition="aws-cn")
    assert china.queue_url("orders") == "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/cars-orders"
    assert china.topic_arn("quality-alerts") == "arn:aws-cn:sns:cn-north-1:123456789012:cars-quality-alerts"


def test_every_function_has_its_entry_point() -> None:
    files = {path.stem for path in LAMBDAS.glob("*.py")} - {"__init__"}
    assert {function.replace("-", "_") for function in FUNCTIONS} == files

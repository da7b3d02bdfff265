"""Orders through the whole stack on the emulator, beside the barest chain of Lambda and SQS on the same emulator.

The emulator is no AWS: it runs every function as a process on this machine, so that its own speed is the limit here. What
says something is the ratio. Of what the emulator does for an order, most goes on beside (events, mails, the state machine),
on the same processors.
"""

from __future__ import annotations

import io
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import sqlalchemy as sa

from benchmarks.aws_deployed import Deployed, deployed
from benchmarks.load import ORDER
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.stories.on_aws import STACK

CLIENTS = 8
PATIENCE_S = 180
LOOK_EVERY_S = 0.05
ROLE = f"arn:aws:iam::{ACCOUNT}:role/bare"

# The first answers 202 once SQS has what came; the second takes it from SQS and does nothing.
DOOR = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=event["body"])
    return {"statusCode": 202}
"""
WORKER = """
def handler(event, context):
    return {"batchItemFailures": []}
"""


def measure(orders: int) -> dict[str, Any]:
    """Both, one after the other, on one emulator; each twice, because the first time starts its processes."""
    with deployed() as stack, stack.installation.running():
        bare = Bare(stack.emulator)
        bare.takes(orders)
        bare_s = bare.takes(orders)
        ours = Ours(stack)
        ours.takes(orders)
        before = ours.invocations()
        taken_s, waiting_s = ours.takes(orders)
        invocations = (ours.invocations() - before) / orders
    return {
        "orders": orders,
        "clients": CLIENTS,
        "bare_chain_per_second": round(orders / bare_s, 1),
        "orders_taken_per_second": round(orders / taken_s, 1),
        "orders_waiting_in_their_first_state_per_second": round(orders / waiting_s, 1),
        "invocations_of_an_order_until_then_and_beside": round(invocations, 1),
        "ratios": {
            "orders / bare chain": round(bare_s / waiting_s, 2),
            "invocations / those of the bare chain": round(bare_s / waiting_s * invocations / 2, 2),
        },
    }


class Ours:
    """The deployed stack: from the POST until the order's execution waits in its first state."""

    def __init__(self, stack: Deployed) -> None:
        self._stack = stack
        self._url = str(stack.installation.http.base_url)
        self._engine = sa.create_engine(stack.url)

    def takes(self, orders: int) -> tuple[float, float]:
        """Seconds until all are accepted, and until all wait for their dealership."""
        already = self._waiting()
        began = time.perf_counter()
        _post_all(f"{self._url.rstrip('/')}/api/v1/orders", orders, ORDER)
        taken = time.perf_counter() - began
        _wait(lambda: self._waiting() - already >= orders)
        return taken, time.perf_counter() - began

    def _waiting(self) -> int:
        with self._engine.connect() as connection:
            query = sa.text("SELECT count(*) FROM executions WHERE token IS NOT NULL")
            return int(connection.execute(query).scalar_one())

    def invocations(self) -> int:
        """How many there have been, once all is done that goes on beside."""
        with self._engine.connect() as connection:
            _wait(lambda: not connection.execute(_AT_WORK).scalar_one())
        logs = self._stack.emulator.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/dealerflow/{STACK}/functions"
        )
        return sum(event["message"].startswith("REPORT ") for page in pages for event in page["events"])


# A decision is nobody's here, and nothing else is late.
_AT_WORK = sa.text("SELECT count(*) FROM messages")


class Bare:
    """HTTP API → Lambda → SQS → Lambda, with nothing in them."""

    def __init__(self, emulator: Emulator) -> None:
        self._sqs, functions = emulator.client("sqs"), emulator.client("lambda")
        self._queue = self._sqs.create_queue(QueueName="bare")["QueueUrl"]
        environment = {"QUEUE_URL": self._queue, "AWS_ENDPOINT_URL": emulator.url}
        door = _function(functions, "bare-door", DOOR, environment)
        _function(functions, "bare-worker", WORKER, {})
        functions.create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:bare", FunctionName="bare-worker", BatchSize=10
        )
        self._url = f"{emulator.api_url(_api(emulator, door))}/"

    def takes(self, orders: int) -> float:
        """Seconds until the second function is done with all."""
        began = time.perf_counter()
        _post_all(self._url, orders, ORDER)
        _wait(lambda: not self._left())
        return time.perf_counter() - began

    def _left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def _function(client: Any, name: str, code: str, environment: dict[str, str]) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("bare.py", code)
    made = client.create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Role=ROLE,
        Handler="bare.handler",
        MemorySize=512,
        Timeout=60,
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": environment},
    )
    return str(made["FunctionArn"])


def _api(emulator: Emulator, function: str) -> str:
    gateway = emulator.client("apigatewayv2")
    api = str(gateway.create_api(Name="bare", ProtocolType="HTTP")["ApiId"])
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="POST /", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return api


def _post_all(url: str, times: int, form: Any) -> None:
    with closing(httpx.Client(timeout=PATIENCE_S)) as client, ThreadPoolExecutor(CLIENTS) as pool:
        for answer in pool.map(lambda _: client.post(url, json=form), range(times)):
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text


def _wait(until: Callable[[], bool]) -> None:
    ends = time.perf_counter() + PATIENCE_S
    while not until():
        assert time.perf_counter() < ends, "it takes too long"
        time.sleep(LOOK_EVERY_S)

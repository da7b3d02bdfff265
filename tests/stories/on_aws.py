"""A Dealerflow on AWS: the real template on the emulator, with functions as processes of their own. Here stories wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, NoReturn

import httpx
import pytest
import sqlalchemy as sa

from dealerflow.adapters.aws.names import QUEUES, Names
from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.database.repositories.people import SqlPeople
from dealerflow.adapters.database.session import Session
from dealerflow.application.access import issue_token
from dealerflow.application.queues import policy as policy_of
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.aws.mail_catcher import MailCatcher

STACK = "dealerflow"
SENDER = "dealerflow@example.com"  # the template's default
COMMAND = [sys.executable, "-m", "dealerflow.cli.main"]
PATIENCE_SECONDS = 120.0  # far more than it takes: a busy machine is no fault of the code
LOOK_EVERY_SECONDS = 0.1

Away = Callable[[], AbstractContextManager[None]]


class OnAws:
    """Implements `driver.Installation`."""

    knows_received_orders_without_database = False

    def __init__(
        self, emulator: Emulator, outputs: dict[str, str], catcher: MailCatcher, url: str, away: Away
    ) -> None:
        self._emulator = emulator
        self._catcher = catcher
        self._url = url
        self._away = away
        self._names = Names(stack=STACK, region=REGION, account=ACCOUNT)
        self._secret = str(
            emulator.client("secretsmanager").get_secret_value(SecretId=self._names.signing_secret)[
                "SecretString"
            ]
        )
        self._lambda = emulator.client("lambda")
        self._states = emulator.client("stepfunctions")
        self.unworked: set[str] = set()
        self.meanwhile: Callable[[], None] = lambda: None  # what else goes on at each moment
        self.http = httpx.Client(base_url=emulator.api_url(outputs["ApiId"]), timeout=PATIENCE_SECONDS)

    @contextmanager
    def running(self) -> Iterator[OnAws]:
        """As long as the block lasts. The database must hold the demo's data."""
        self._before = len(self._catcher.caught)
        self.call("prepare", {})
        with self.http, ExitStack() as closing:
            self.engine = open_engine(self._url, connections=1)
            closing.callback(self.engine.dispose)
            assert any(self.http.get("/readyz").is_success for _ in self.moments())
            yield self

    def call(self, function: str, event: dict[str, Any]) -> bytes:
        """Invoke a function of the stack; its answer."""
        answer = self._lambda.invoke(
            FunctionName=self._names.function_name(function),
            Payload=httpx.Request("POST", "/", json=event).content,
        )
        said: bytes = answer["Payload"].read()
        assert "FunctionError" not in answer, said
        return said

    def token(self, email: str) -> str:
        with self.engine.connect() as connection:
            account = SqlPeople(Session(connection)).account_by_email(email)
        assert account is not None, f"there is no account {email}"
        return issue_token(account, self._secret)

    def moments(self) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            self.meanwhile()
            yield
            time.sleep(LOOK_EVERY_SECONDS)

    def lets_time_pass(self, seconds: float) -> None:
        time.sleep(min(seconds, 3.0))  # a moment, which functions live through as they do through a long time

    def without_database(self) -> AbstractContextManager[None]:
        return self._away()

    @contextmanager
    def without_workers_for(self, queue: str) -> Iterator[None]:
        self._work(queue, enabled=False)
        self.unworked.add(queue)
        try:
            yield
        finally:
            self.unworked.remove(queue)
            self._work(queue, enabled=True)

    def _work(self, queue: str, *, enabled: bool) -> None:
        mappings = self._lambda.list_event_source_mappings(EventSourceArn=self._names.queue_arn(queue))
        [mapping] = mappings["EventSourceMappings"]
        self._lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def cards_declined(self) -> NoReturn:
        pytest.skip("the card terminal for trials declines nothing")

    def command(self, *arguments: str, fails: bool = False) -> str:
        environment = {
            **os.environ,
            "DEALERFLOW_STACK": STACK,
            "DEALERFLOW_ACCOUNT": ACCOUNT,
            "DEALERFLOW_DATABASE_URL": self._url,
            "AWS_ENDPOINT_URL": self._emulator.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == int(fails), f"{arguments}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    # --- what only AWS has ---

    def makes_messages_older(self, minutes: int) -> None:
        """As if everything that waits now had been sent so much earlier."""
        with self.engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE messages SET sent_at = sent_at - :ms"), {"ms": minutes * 60_000}
            )

    def leaves_one_attempt(self, queue: str) -> None:
        """As if everything in this queue that failed once had failed again and again."""
        last = policy_of(queue).max_attempts - 1
        with self.engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE messages SET attempts = :last WHERE queue = :queue AND attempts > 0"),
                {"last": last, "queue": queue},
            )

    def statuses_of(self, order: str) -> list[str]:
        """Those of the order's executions, the first one first."""
        return [status for _, status in sorted(self._executions_of(order).values())]

    def stop_execution_of(self, order: str) -> None:
        """As somebody might do by hand, once it waits for somebody to decide."""
        waits = sa.text("SELECT token IS NOT NULL FROM executions WHERE order_id = :order")
        for _ in self.moments():
            with self.engine.connect() as connection:
                if connection.execute(waits, {"order": order}).scalar():
                    break
        for arn, (_, status) in self._executions_of(order).items():
            if status == "RUNNING":
                self._states.stop_execution(executionArn=arn)

    def _executions_of(self, order: str) -> dict[str, tuple[Any, str]]:
        machines = self._states.list_state_machines()["stateMachines"]
        return {
            one["executionArn"]: (one["startDate"], one["status"])
            for machine in machines
            for page in self._states.get_paginator("list_executions").paginate(
                stateMachineArn=machine["stateMachineArn"]
            )
            for one in page["executions"]
            if one["name"].startswith(order)
        }

    def token_of(self, order: str) -> str:
        """What the order's execution waits with, as the database has it; waits until it does."""
        query = sa.text("SELECT token FROM executions WHERE order_id = :order AND token IS NOT NULL")
        for _ in self.moments():
            with self.engine.connect() as connection:
                if token := connection.execute(query, {"order": order}).scalar_one_or_none():
                    return str(token)
        raise AssertionError(f"no execution of {order} waits")

    def tell(self, order: str, outcome: str) -> None:
        """Tell the order's execution that this was decided, past everybody who would refuse it."""
        said = {"order": order, "decision": {"step": "", "outcome": outcome}}
        self._states.send_task_success(taskToken=self.token_of(order), output=json.dumps(said))

    def attempts(self, queue: str) -> int:
        """How often the messages of this queue have failed, together."""
        with self.engine.connect() as connection:
            query = sa.text("SELECT coalesce(sum(attempts), 0) FROM messages WHERE queue = :queue")
            return int(connection.execute(query, {"queue": queue}).scalar_one())

    @contextmanager
    def given_up_after(self, queue: str, *, receives: int) -> Iterator[None]:
        """Within the block SQS moves a message to the dead-letter queue after so many deliveries, and not a thousand."""
        sqs, url = self._emulator.client("sqs"), self._names.queue_url(queue)
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
        policy = {**json.loads(before["RedrivePolicy"]), "maxReceiveCount": receives}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
        yield
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)

    def in_sqs(self, queue: str) -> int:
        """How many messages SQS has for this queue, those included that a function has in its hands."""
        return self._lying(self._names.queue_url(queue))

    def dead_in_sqs(self) -> dict[str, int]:
        """Queue → how many messages lie in its dead-letter queue, where there are any. Their alarms look at that figure."""
        found = {queue: self._lying(self._names.dead_queue_url(queue)) for queue in QUEUES}
        return {queue: number for queue, number in found.items() if number}

    def _lying(self, url: str) -> int:
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        sqs = self._emulator.client("sqs")
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return sum(int(found[name]) for name in names)

    def double_messages_of(self, queue: str) -> None:
        """Put a copy of each message that waits in this queue on AWS beside it."""
        sqs, url = self._emulator.client("sqs"), self._names.queue_url(queue)
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
        for message in found:
            sqs.send_message(QueueUrl=url, MessageBody=message["Body"])
            sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )

    def mailbox(self) -> list[EmailMessage]:
        sent = self._catcher.caught[self._before :]
        return [message_from_bytes(mail, policy=policy.default) for mail in sent]


def post_office(emulator: Emulator) -> MailCatcher:
    """What whoever deploys has to do for mail: verify the sender. And for the tests: catch what is sent."""
    emulator.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    catcher = MailCatcher(emulator.url)
    functions, function = emulator.client("lambda"), f"{STACK}-notifications"
    known = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": {**known, "AWS_ENDPOINT_URL_SESV2": catcher.url}}
    )
    return catcher

"""A Dealerflow on AWS in small: the real functions over `small.SmallAws` and a real PostgreSQL, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import msgspec
import sqlalchemy as sa
from litestar.testing import TestClient

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.names import QUEUES
from dealerflow.adapters.aws.receiver import Receiver
from dealerflow.adapters.clock import SystemClock, TimeIds
from dealerflow.adapters.database.unit_of_work import SqlDatabase
from dealerflow.application.access import issue_token
from dealerflow.application.executions import Arrival
from dealerflow.composition.aws import AwsSystem
from dealerflow.composition.aws_queues import arrivals_of, delivery_of, receiver_of
from dealerflow.composition.aws_upkeep import RelayRun
from dealerflow.composition.aws_web import web_app
from dealerflow.composition.settings import settings_of
from dealerflow.composition.testing import TEST_SECRET, StillClock
from dealerflow.pipeline.asl import asl_of
from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.loader import standard
from tests.aws.small import WEB, Died, Running, SmallAws

ADDRESS = "http://dealerflow.test"
ACCOUNT = "123456789012"
LEASE_MS = 60_000
MINUTE_MS = 60_000
PATIENCE_MINUTES = 60

Weather = Callable[[], AbstractContextManager[None]]


class SmallSystem(AwsSystem):
    """The system of all functions at once."""

    def __init__(self, url: str, pipeline: Pipeline | None = None, aws: SmallAws | None = None) -> None:
        settings = settings_of(
            Path("/nowhere"),
            {},
            database_url=url,
            public_url=ADDRESS,
            secret_key=TEST_SECRET,
            stack="small",
            account=ACCOUNT,
        )
        super().__init__(settings, Clients("eu-west-1"), region="eu-west-1")
        # Today, because the command line goes by the machine's clock.
        self.still = self.clock = aws.clock if aws else StillClock(SystemClock().now())
        self.ids = TimeIds(self.still.now)
        self._given = pipeline or standard()
        self.aws = aws or SmallAws(names=self.names, clock=self.still, machines={})
        self.clients = self.patient_clients = self.aws.clients
        sa.event.listen(self.engine, "commit", self._commits)

    @cached_property
    def pipeline(self) -> Pipeline:
        return self._given

    def deploy_machine(self) -> None:
        """The state machine of this pipeline, beside those that are there."""
        self.aws.machines[self.names.state_machine_arn(self.pipeline.id)] = asl_of(self.pipeline)

    def _commits(self, connection: sa.Connection) -> None:
        if connection.get_execution_options().get("mode") != "read":
            self.aws.gate.pass_("before commit")

    def _forward(self, sent: Any) -> None:
        try:
            self.aws.gate.pass_("after commit")
            super()._forward(sent)
        except Died:
            # The web function dies while it forwards. Whoever asked is answered here all the same: it was committed.
            if self.aws.gate.where != WEB:
                raise


class InSmall:
    """Works an installation on AWS in small."""

    def __init__(self, url: str, pipeline: Pipeline | None = None) -> None:
        self.url = url
        self.system = SmallSystem(url, pipeline)
        self.system.deploy_machine()
        self._closing = ExitStack()
        self.aws = self.system.aws
        self.gate = self.aws.gate
        self.unworked: set[str] = set()
        self.reports_twice = False  # whether each report of an execution comes twice
        self.weather: Weather = nullcontext  # what befalls the functions while they work
        self._receivers: dict[str, Receiver] = {}
        self._relay: RelayRun | None = None
        self.http: httpx.Client = TestClient(
            web_app(self.system), base_url=ADDRESS, raise_server_exceptions=True, timeout=60
        )

    @contextmanager
    def running(self) -> Iterator[InSmall]:
        """As long as the block lasts."""
        with self._closing as closing:
            closing.callback(self.system.close)
            self.system.pipelines.store(self.system.still.now())
            RelayRun(self.system)()  # brings the snapshot to where intake finds it
            closing.enter_context(self.http)
            yield self

    def deploy(self, pipeline: Pipeline, *, machine: bool = True) -> None:
        """Functions with another pipeline over the same AWS and database; its machine, unless that comes later.

        The pages are still those of the version before, as they may be for a moment.
        """
        self.system = SmallSystem(self.url, pipeline, self.aws)
        self._closing.callback(self.system.close)
        self.system.pipelines.store(self.system.still.now())
        self._receivers.clear()
        self._relay = None
        if machine:
            self.system.deploy_machine()

    @property
    def database(self) -> SqlDatabase:
        return self.system.database

    def token(self, email: str) -> str:
        with self.database.read() as work:
            account = work.people.account_by_email(email)
        assert account is not None, f"there is no account {email}"
        return issue_token(account, self.system.secret)

    def moments(self) -> Iterator[None]:
        for _ in range(PATIENCE_MINUTES):
            for _ in range(30):
                self.work()
                yield
                self.system.still.pass_ms(MINUTE_MS // 30)
            self.schedule()

    def lets_time_pass(self, seconds: float) -> None:
        for _ in range(round(seconds / 60)):
            self.system.still.pass_ms(MINUTE_MS)
            self.schedule()
            self.work()

    def lives_through(self, seconds: float, *, minutes: int = 15) -> None:
        """Let so much time go by, from one thing to do to the next, with the schedule every so many minutes."""
        still = self.system.still
        end = still.now() + round(seconds * 1000)
        while still.now() < end:
            then = min(still.now() + minutes * MINUTE_MS, end)
            while (due := self.aws.next_due(self.unworked)) is not None and due <= then:
                still.pass_ms(max(0, due - still.now()))
                self.work()
            still.pass_ms(then - still.now())
            self.schedule()
            self.work()

    def work(self) -> None:
        """Call functions until nothing more is due now."""
        with self.weather():
            while self._called():
                pass

    def _called(self) -> bool:
        called = False
        for queue in QUEUES:
            records = self.aws.receive(queue) if queue not in self.unworked else []
            if records:
                self._function(queue, records)
                called = True
        for run in self.aws.due():
            self._update_status(run)
            called = True
        return called

    def work_once(self, queue: str) -> None:
        """Call the function of one queue with what there is for it, and no other."""
        self._function(queue, self.aws.receive(queue))

    def _function(self, queue: str, records: list[dict[str, Any]]) -> None:
        if queue not in self._receivers:
            self._receivers[queue] = receiver_of(self.system, queue, lease_ms=LEASE_MS)
        receiver = self._receivers[queue]

        def call() -> None:
            again = receiver.work([delivery_of(record) for record in records])
            self.gate.pass_("before sqs delete")
            self.aws.delete(queue, {record["messageId"] for record in records} - set(again))

        if not self._survives(queue, call):
            del self._receivers[queue]

    def _update_status(self, run: Running) -> None:
        token, tries = run.token, run.tries

        def call() -> None:
            try:
                payload = self.aws.payload(run)
                for _ in range(2 if self.reports_twice else 1):
                    arrivals_of(self.system).report(msgspec.convert(payload, Arrival))
            except Exception as error:  # noqa: BLE001 - as the service does
                self.aws.failed(run, type(error).__name__)
            else:
                if (run.token, run.tries) == (token, tries):
                    self.aws.returned(run)

        if not self._survives("update-status", call):
            self.aws.failed(run, "Lambda.Unknown")

    def schedule(self) -> None:
        """What runs every minute."""
        relay = self._relay = self._relay or RelayRun(self.system)
        if not self._survives("relay", relay):
            self._relay = None

    def _survives(self, function: str, call: Callable[[], object]) -> bool:
        """Call a function; False if its process died. Then what it had open is gone with it."""
        self.gate.where = function
        try:
            call()
        except Died:
            return False
        finally:
            self.gate.where = WEB
        return True

    def mailbox(self) -> list[EmailMessage]:
        return [message_from_bytes(mail, policy=policy.default) for mail in self.aws.mails]

    def command(self, *arguments: str, fails: bool = False) -> str:
        """The audit only; the emulator has a real command line beside it."""
        assert arguments == ("audit", "--json"), arguments
        assert not fails
        return msgspec.json.encode(self.system.auditor.audit()).decode()

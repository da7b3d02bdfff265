"""A whole system in one process for tests: a still clock, counted ids, fakes outside, and queues that are
drained by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.database.message_store import SqlMessageStore
from dealerflow.adapters.database.tables import metadata
from dealerflow.adapters.database.unit_of_work import SqlDatabase
from dealerflow.adapters.documents.letters import TemplateLetters
from dealerflow.adapters.documents.pdf import PdfPrinter
from dealerflow.adapters.embedded.steps import Steps
from dealerflow.adapters.memory.mail import MemoryMailer
from dealerflow.application.functions import CallFunctions, FunctionCall
from dealerflow.application.handlers import finder, handler_table
from dealerflow.application.happenings import DeliverWebhooks, WebhookRequest
from dealerflow.application.links import Links
from dealerflow.application.mailing import SendMails
from dealerflow.application.payments import Charge, TakePayments
from dealerflow.application.ports import Ids
from dealerflow.pipeline.definition import Pipeline

NOON = 1_790_000_000_000  # ms since epoch, a day in 2026
TEST_SECRET = "a secret for tests only, long enough"  # noqa: S105 - signs nothing outside a test


class StillClock:
    """Time that moves only when told to."""

    def __init__(self, now: int = NOON) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def pass_ms(self, ms: int) -> None:
        """Let time go by."""
        self._now += ms


class CountedIds:
    """Ids that count: "ord_00000001", "stp_00000002" …"""

    def __init__(self) -> None:
        self._last = 0

    def new(self, prefix: str) -> str:
        self._last += 1
        return f"{prefix}_{self._last:08d}"


class OnePipeline:
    """All orders follow one pipeline, or one that was added."""

    def __init__(self, current: Pipeline) -> None:
        self.current = current
        self._known = {current.id: current}

    def get(self, pipeline_id: str) -> Pipeline:
        return self._known[pipeline_id]

    def add(self, pipeline: Pipeline) -> None:
        """A new version: new orders follow it."""
        self._known[pipeline.id] = self.current = pipeline


class Terminal:
    """A payment provider: notes each charge once, declines what it is told to, is away when told so."""

    def __init__(self) -> None:
        self.charges: dict[str, int] = {}
        self.declines = False
        self.outage: Exception | None = None

    def charge(self, key: str, method: str, amount: int, currency: str) -> Charge:
        if self.outage:
            raise self.outage
        if self.declines:
            return Charge(declined="the card was declined")
        self.charges.setdefault(key, amount)
        return Charge(reference=f"test-{key}")


class GivenFunctions:
    """Functions by name; each call is noted."""

    def __init__(self) -> None:
        self.calls: list[FunctionCall] = []
        self.known: dict[str, Callable[[FunctionCall], dict[str, Any] | None]] = {}

    def call(self, call: FunctionCall) -> dict[str, Any] | None:
        self.calls.append(call)
        return self.known[call.function](call) if call.function in self.known else None


class Postbox:
    """A subscriber's server: keeps what was posted and answers with `answer`."""

    def __init__(self) -> None:
        self.posted: list[WebhookRequest] = []
        self.answer = 204

    def post(self, request: WebhookRequest) -> tuple[int | None, str | None]:
        self.posted.append(request)
        return self.answer, None


class TestSystem:
    """Everything of one installation over `url` (an empty database), with its queues drained by hand."""

    __test__ = False  # not a test itself, whatever its name says

    def __init__(self, url: str, pipeline: Pipeline) -> None:
        self.engine: sa.Engine = open_engine(url)
        metadata.create_all(self.engine)
        self.clock = StillClock()
        self.ids: Ids = CountedIds()
        self.pipelines = OnePipeline(pipeline)
        self.database = SqlDatabase(self.engine, self.clock, self.ids, self.pipelines)
        self.store = SqlMessageStore(self.engine)
        self.links = Links(TEST_SECRET, "http://dealerflow.test")
        self.mailer = MemoryMailer()
        self.terminal = Terminal()
        self.functions = GivenFunctions()
        self.postbox = Postbox()
        mails = SendMails(
            TemplateLetters(),
            PdfPrinter(),
            self.mailer,
            self.links,
            sender="Dealerflow <noreply@dealerflow.test>",
        )
        self.table = handler_table(
            payments=TakePayments(self.terminal),
            mails=mails,
            functions=CallFunctions(self.functions),
            webhooks=DeliverWebhooks(self.postbox),
        )
        self.steps = Steps(
            store=self.store,
            database=self.database,
            handler_for=finder(self.table),
            owner="test",
            clock=self.clock,
            random=lambda: 0.0,
        )

    def drain(self, *queues: str, rounds: int = 1_000) -> None:
        """Work these queues (all, if none are named) until nothing more is due now."""
        for _ in range(rounds):
            if not [queue for queue in queues or self.store.queues() if self.steps.step(queue)]:
                return
        raise AssertionError(f"the queues are not empty after {rounds} rounds")

    def close(self) -> None:
        """Give the database's connections back."""
        self.engine.dispose()

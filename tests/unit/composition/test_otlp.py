"""What the spans of workers say, and what becomes of them."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from dealerflow.adapters.database.unit_of_work import Sends, SqlDatabase
from dealerflow.adapters.embedded.steps import Steps
from dealerflow.application import queues
from dealerflow.application.handling import Call, Handler
from dealerflow.application.work import UnitOfWork
from dealerflow.composition.logs import OneLine
from dealerflow.composition.otlp import TELL_EVERY_S, OtlpTracing, _Telling
from dealerflow.composition.settings import WrongSetting, settings_of
from dealerflow.composition.testing import StillClock, TestSystem
from dealerflow.domain.errors import Outage
from dealerflow.domain.messages import DeliverWebhook, Envelope, PublishEvent, SendMail
from dealerflow.pipeline.loader import standard
from tests.collector import Collector, collecting

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
QUEUE = queues.NOTIFICATIONS


class Traced:
    """A worker whose spans go to `collector`; its handler is given by the test."""

    def __init__(self, collector: Collector, data: Path) -> None:
        self.collector = collector
        self.tracing = OtlpTracing(collector.url, "worker")
        self._system = TestSystem(f"sqlite:///{data / 'worked.db'}", standard())
        self.store = self._system.store
        self.clock = self._system.clock
        self.database = SqlDatabase(
            self._system.engine,
            self.clock,
            self._system.ids,
            self._system.pipelines,
            Sends(trace=self.tracing.sending),
        )
        self.store.declare([QUEUE, queues.EVENTS, queues.WEBHOOKS])

    def works(self, queue: str, handler: Handler, rounds: int = 1) -> None:
        """Step this queue with this handler, then let every span arrive."""
        steps = Steps(
            store=self.store,
            database=self.database,
            handler_for=lambda _: handler,
            owner="w1",
            clock=self.clock,
            random=lambda: 0.0,
            tracing=self.tracing,
        )
        for _ in range(rounds):
            steps.step(queue)
            self.clock.pass_ms(3_600_000)
        self.tracing.close()

    def send(self, queue: str, *names: str) -> None:
        """Send mails of these names, each about an order of its own."""
        with self.tracing.request("POST", [(b"traceparent", CALLER.encode())]) as answered:
            with self.database.begin() as work:
                for name in names:
                    message = SendMail(mail=name) if queue == QUEUE else PublishEvent(event=name)
                    work.send(queue, message, order=f"ord_{name}")
            answered("/mails", 202, None)

    def outcomes(self) -> list[tuple[str, int, str]]:
        """Of each message's span: order, attempt, outcome."""
        return [
            (
                span.attributes["dealerflow.order"],
                span.attributes["dealerflow.attempt"],
                span.attributes["dealerflow.outcome"],
            )
            for span in self.collector.spans()
            if span.name in ("SendMail", "PublishEvent")
        ]

    def close(self) -> None:
        self.tracing.close()
        self._system.close()


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    level = logging.getLogger("opentelemetry").level
    with collecting() as collector:
        traced = Traced(collector, tmp_path)
        yield traced
        traced.close()
    logging.getLogger("opentelemetry").setLevel(level)


def test_a_message_that_fails_tells_the_kind_of_error_and_not_its_words(traced: Traced) -> None:
    def fails_once(work: UnitOfWork, envelope: Envelope) -> None:
        if not failed:
            failed.append(envelope.id)
            raise ValueError("Ana Núñez lives nowhere")

    failed: list[str] = []
    traced.send(QUEUE, "a")
    traced.works(QUEUE, fails_once, rounds=3)
    assert traced.outcomes() == [("ord_a", 1, "failed"), ("ord_a", 2, "done")]
    first, second = traced.collector.spans("SendMail")
    assert first.attributes["error.type"] == "ValueError"
    assert (first.is_error, second.is_error) == (True, False)
    assert first.trace == second.trace == CALLER.split("-")[1]
    assert first.parent == second.parent == traced.collector.span("POST /mails").id
    assert "Núñez".encode() not in b"".join(traced.collector.bodies)


def test_one_that_fails_among_others_undoes_them_and_they_are_done_again(traced: Traced) -> None:
    def refuses_b(work: UnitOfWork, envelope: Envelope) -> None:
        if envelope.order == "ord_b":
            raise ValueError

    traced.send(QUEUE, "a", "b", "c")
    traced.works(QUEUE, refuses_b)
    assert sorted(traced.outcomes()) == [
        ("ord_a", 1, "done"),
        ("ord_a", 1, "undone"),
        ("ord_b", 1, "failed"),
        ("ord_b", 1, "failed"),
        ("ord_c", 1, "done"),
    ]


def test_what_meets_an_outage_waits_and_is_no_error(traced: Traced) -> None:
    def meets_an_outage(work: UnitOfWork, envelope: Envelope) -> None:
        raise Outage("the world is away")

    traced.send(QUEUE, "a")
    traced.works(QUEUE, meets_an_outage)
    assert traced.outcomes() == [("ord_a", 1, "waits")]
    assert not traced.collector.span("SendMail").is_error


def test_a_call_is_a_span_and_what_is_recorded_of_it_another(traced: Traced) -> None:
    def record(work: UnitOfWork, envelope: Envelope, answer: str) -> None:
        work.send(queues.WEBHOOKS, DeliverWebhook(delivery=answer), order=envelope.order)

    traced.send(QUEUE, "a")
    traced.works(QUEUE, Call(prepare=lambda *_: "asked", perform=lambda *_: "whd_1", record=record))
    (sent,) = traced.store.claim(queues.WEBHOOKS, 1, owner="w2", now=traced.clock.now())
    recorded = traced.collector.span("SendMail record")
    assert recorded.parent == traced.collector.span("SendMail").parent
    assert sent.envelope.trace == f"00-{recorded.trace}-{recorded.id}-01"


class PassesOn:
    """Works many at once, and sends something about each."""

    def __call__(self, work: UnitOfWork, envelope: Envelope) -> None:
        self.many(work, [envelope])

    def many(self, work: UnitOfWork, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            work.send(queues.WEBHOOKS, DeliverWebhook(delivery="whd_1"), order=envelope.order)


def test_of_many_worked_at_once_each_goes_on_in_its_own_span(traced: Traced) -> None:
    traced.send(queues.EVENTS, "a", "b")
    traced.works(queues.EVENTS, PassesOn())
    sent = traced.store.claim(queues.WEBHOOKS, 9, owner="w2", now=traced.clock.now())
    spans = {span.attributes["dealerflow.order"]: span for span in traced.collector.spans("PublishEvent")}
    assert len(spans) == len(sent) == 2
    for one in sent:
        span = spans[str(one.envelope.order)]
        assert one.envelope.trace == f"00-{span.trace}-{span.id}-01"


def test_a_message_without_a_trace_or_with_a_broken_one_begins_its_own(traced: Traced) -> None:
    with traced.database.begin() as work:
        work.send(QUEUE, SendMail(mail="a"), order="ord_a")
    with traced.tracing.request("GET", [(b"traceparent", b"00-\xff-zz")]) as answered:
        answered("/board", 200, None)
    traced.works(QUEUE, lambda *_: None)
    assert traced.collector.span("SendMail").parent == traced.collector.span("GET /board").parent == ""


def test_a_caller_who_does_not_record_is_not_recorded(traced: Traced) -> None:
    with traced.tracing.request("GET", [(b"traceparent", f"{CALLER[:-2]}00".encode())]) as answered:
        assert str(traced.tracing.sending("ord_a")).endswith("-00")
        answered("/board", 200, None)
    traced.tracing.close()
    assert traced.collector.spans() == []


def test_an_answer_of_the_500s_is_an_error_and_one_of_the_400s_is_not(traced: Traced) -> None:
    for status in (404, 503):
        with traced.tracing.request("GET", []) as answered:
            answered("/orders/{order_id}", status, "ord_a")
    traced.tracing.close()
    assert {
        span.attributes["http.response.status_code"]: span.is_error for span in traced.collector.spans()
    } == {404: False, 503: True}


def test_logs_name_the_trace(traced: Traced) -> None:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(OneLine("worker", traced.tracing.trace))
    logger = logging.getLogger("of.this.test")
    logger.addHandler(handler)
    logger.warning("before")
    with traced.tracing.request("POST", [(b"traceparent", CALLER.encode())]):
        logger.warning("within")
    logger.warning("after its work", extra={"traceparent": CALLER})
    logger.warning("of a message without", extra={"traceparent": None})
    assert re.findall(r"trace=(\S+)", said.getvalue()) == [CALLER.split("-")[1]] * 2
    assert [f"trace={CALLER.split('-')[1]}" in line for line in said.getvalue().splitlines()] == [
        False,
        True,
        True,
        False,
    ]


class Fails(SpanExporter):
    """A collector that is away."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


def test_of_spans_that_cannot_be_sent_it_is_told_once_a_minute_and_without_a_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = StillClock()
    exporter = _Telling(Fails(), "https://me:secret@there.example:4318/x", lambda: clock.now() / 1000)
    span = ReadableSpan("one")
    for _ in range(100):
        exporter.export([span, span])
    clock.pass_ms(round(TELL_EVERY_S * 1000))
    exporter.export([span])
    assert [record.getMessage() for record in caplog.records] == [
        "traces cannot be sent to there.example:4318: 2 spans were dropped",
        "traces cannot be sent to there.example:4318: 199 spans were dropped",
    ]


@pytest.mark.parametrize("wrong", ["127.0.0.1:4318", "grpc://there:4317", "http://", "http://there?x=1"])
def test_an_endpoint_that_cannot_be_one_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(WrongSetting, match=r"must be the collector's address, like http://127\.0\.0\.1:4318"):
        settings_of(tmp_path, {"DEALERFLOW_OTLP_ENDPOINT": wrong})

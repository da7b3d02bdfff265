"""Traces by OpenTelemetry, exported by OTLP over HTTP. Only `tracing_of` imports this: it costs a process some 10 MB.

OpenTelemetry's own variables (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`) work as its documents say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from time import monotonic
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dealerflow.application.tracing import Answered, Handling
from dealerflow.domain.errors import Outage
from dealerflow.domain.messages import Claimed, PlaceOrder

log = logging.getLogger(__name__)

PATH = "/v1/traces"  # https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
FLUSH_WITHIN_S = 2.0  # a clean stop may take 10 s in all
TELL_EVERY_S = 60.0  # of spans that could not be exported
_TRACEPARENT = "traceparent"

_read_context = TraceContextTextMapPropagator().extract


@dataclass
class _Here:
    """What goes on in this thread or task: one span, or those of messages that are handled together, by order."""

    only: Span | None
    of_orders: dict[str, Span] = field(default_factory=dict)
    sent_about: set[str] = field(default_factory=set)

    def span(self, order: str | None) -> Span | None:
        return self.only or self.of_orders.get(order or "")


_here: ContextVar[_Here | None] = ContextVar("dealerflow_trace", default=None)


@dataclass(frozen=True)
class _Request:
    """Notes what became of a request. Implements `application.tracing.Answered`."""

    here: _Here
    span: Span
    method: str

    def __call__(self, route: str, status: int, order: str | None, /) -> None:
        self.span.update_name(f"{self.method} {route}")
        self.span.set_attribute("http.route", route)
        self.span.set_attribute("http.response.status_code", status)
        about = {order} if order else self.here.sent_about
        if len(about) == 1:
            self.span.set_attribute("dealerflow.order", *about)
        if status >= 500:  # https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status
            self.span.set_status(Status(StatusCode.ERROR))


class OtlpTracing:
    """Implements `application.tracing.Tracing`. `endpoint` as in OTEL_EXPORTER_OTLP_ENDPOINT: without `/v1/traces`."""

    def __init__(self, endpoint: str, part: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `_Telling` says it, and less often
        self._exporter = _Telling(OTLPSpanExporter(endpoint.rstrip("/") + PATH), endpoint)
        known = {
            "service.name": f"dealerflow-{part}",
            "service.namespace": "dealerflow",
            "service.version": version("dealerflow"),
        }
        # Nothing is registered globally, nor at exit: whoever closes the process closes this.
        self._provider = TracerProvider(resource=Resource.create(known), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("dealerflow")

    def sending(self, order: str | None) -> str | None:
        """See Tracing."""
        here = _here.get()
        span = here.span(order) if here else None
        if here is None or span is None:
            return None
        if order:
            here.sent_about.add(order)
        context = span.get_span_context()
        trace, own = format_trace_id(context.trace_id), format_span_id(context.span_id)
        return f"00-{trace}-{own}-{context.trace_flags:02x}"

    def trace(self) -> str | None:
        """See Tracing."""
        here = _here.get()
        if here is None or here.only is None:
            return None
        return format_trace_id(here.only.get_span_context().trace_id)

    def request(
        self, method: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> AbstractContextManager[Answered]:
        """See Tracing."""
        return self._request(method, headers)

    @contextmanager
    def _request(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Answered]:
        given = next((value for name, value in headers if name == _TRACEPARENT.encode()), b"")
        span = self._tracer.start_span(
            method,
            _context(given.decode("latin-1")),
            SpanKind.SERVER,
            {"http.request.method": method},
        )
        here = _Here(span)
        token = _here.set(here)
        try:
            yield _Request(here, span, method)
        finally:
            _here.reset(token)
            span.end()

    def transaction(self) -> AbstractContextManager[Handling]:
        """See Tracing."""
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[Handling]:
        handled: list[Span] = []
        outcome = "done"
        try:
            yield partial(self._handling, handled)
        except BaseException as error:
            outcome = "waits" if isinstance(error, Outage) else "undone"
            raise
        finally:
            for span in handled:
                _end(span, outcome)

    @contextmanager
    def _handling(self, handled: list[Span], claimed: Sequence[Claimed], doing: str = "") -> Iterator[None]:
        spans = [self._started(one, doing) for one in claimed]
        orders = {
            one.envelope.order: span
            for one, span in zip(claimed, spans, strict=True)
            if one.envelope.order is not None
        }
        token = _here.set(_Here(spans[0] if len(spans) == 1 else None, orders))
        try:
            yield
        except Exception as error:
            if not isinstance(error, Outage) and len(spans) == 1:
                _failed(spans.pop(), error)
            raise
        finally:
            _here.reset(token)
            handled += spans

    def _started(self, one: Claimed, doing: str) -> Span:
        envelope, message = one.envelope, one.envelope.message
        kind = type(message).__name__
        # Intake's stores keep messages without envelopes: an order brings its context itself.
        carried = envelope.trace or (message.trace if isinstance(message, PlaceOrder) else None)
        attributes: dict[str, str | int] = {
            "messaging.system": "dealerflow",
            "messaging.operation.type": "process",
            "messaging.destination.name": envelope.queue,
            "messaging.message.id": envelope.id,
            "dealerflow.message": kind,
            "dealerflow.attempt": one.attempt,
        }
        if envelope.order is not None:
            attributes["dealerflow.order"] = envelope.order
        return self._tracer.start_span(
            f"{kind} {doing}".strip(), _context(carried), SpanKind.CONSUMER, attributes
        )

    def close(self) -> None:
        """See Tracing. What cannot be exported in two seconds is given up."""
        # The SDK's own time limit covers neither the retries nor a connection that hangs.
        flushing = threading.Thread(target=self._provider.shutdown, name="traces-flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_WITHIN_S)
        if flushing.is_alive():
            self._exporter.give_up()


class _Telling(SpanExporter):
    """Exports through another, and says now and then that it could not."""

    def __init__(self, inner: SpanExporter, endpoint: str, now: Callable[[], float] = monotonic) -> None:
        self._inner = inner
        self._where = urlsplit(endpoint).netloc.rpartition("@")[2]  # no password in the logs
        self._now = now
        self._dropped = 0
        self._tell_at = now()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        result = self._inner.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._dropped += len(spans)
            self._tell()
        return result

    def _tell(self) -> None:
        if self._now() >= self._tell_at:
            log.warning("traces cannot be sent to %s: %d spans were dropped", self._where, self._dropped)
            self._dropped, self._tell_at = 0, self._now() + TELL_EVERY_S

    def shutdown(self) -> None:
        """See SpanExporter."""
        self._inner.shutdown()

    def give_up(self) -> None:
        """Let an export that waits for its next try end now."""
        with suppress(Exception):
            self._inner.shutdown()


def _context(traceparent: str | None) -> Context:
    """Where a span belongs; what is no traceparent begins a new trace."""
    return _read_context({_TRACEPARENT: traceparent} if traceparent else {}, Context())


def _failed(span: Span, error: Exception) -> None:
    # Only the kind of error: its words may be what a customer entered.
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(Status(StatusCode.ERROR))
    _end(span, "failed")


def _end(span: Span, outcome: str) -> None:
    span.set_attribute("dealerflow.outcome", outcome)
    span.end()

"""Whether a process is traced: with the setting `OTLP_ENDPOINT`. Without it nothing of OpenTelemetry is even imported."""

from __future__ import annotations

from dealerflow.application.tracing import UNTRACED, Tracing
from dealerflow.composition.settings import Settings


def tracing_of(settings: Settings, part: str) -> Tracing:
    """The tracing of this process. `part` is who traces: web, worker."""
    if not settings.otlp_endpoint:
        return UNTRACED
    from dealerflow.composition.otlp import OtlpTracing

    return OtlpTracing(settings.otlp_endpoint, part)

"""Whether it lives, whether orders can be taken, and figures for Prometheus. Outside the API: no credentials."""

from __future__ import annotations

import msgspec
from litestar import Response

from dealerflow.application.ports import QueueFigures
from dealerflow.domain.errors import Outage, Unavailable
from dealerflow.web.api.queues import queue_figures
from dealerflow.web.body import respond
from dealerflow.web.metrics import CONTENT_TYPE, Metrics
from dealerflow.web.routes import ANYONE, Media, get
from dealerflow.web.system import HttpRequest, WebSystem, system_of


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The process lives."""

    status: str = "alive"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether orders can be taken. `down` names each part that is down and why, also where orders can do without it."""

    ready: bool
    down: dict[str, str]


@get("/healthz", answers={200: Alive}, access=ANYONE)
def healthz() -> Response[bytes]:
    """Whether the process lives."""
    return respond(Alive())


@get("/readyz", answers={200: Readiness, 503: Readiness}, access=ANYONE)
def readyz(request: HttpRequest) -> Response[bytes]:
    """Whether orders can be taken: 200 once they can (and, at start, migrations and demo data are done), else 503."""
    system = system_of(request)
    readiness = Readiness(ready=_takes_orders(system), down=_down(system))
    if readiness.ready:
        return respond(readiness)
    return respond(readiness, status=503, headers={"Retry-After": "1"})


@get("/metrics", answers={200: Media(types={"text/plain": None})}, access=ANYONE)
def metrics(request: HttpRequest) -> Response[bytes]:
    """Requests, orders and queues in Prometheus' text format; without the queues while the database is away."""
    counted: Metrics = request.app.state.metrics
    return respond(counted.text(_figures(system_of(request))), media_type=CONTENT_TYPE)


def _takes_orders(system: WebSystem) -> bool:
    return system.intake.snapshot is not None and system.intake.trouble is None and system.prepared()


def _down(system: WebSystem) -> dict[str, str]:
    found = {"intake": system.intake.trouble, "database": system.upkeep.database_trouble}
    if system.intake.snapshot is None:
        found["catalogue"] = "there is no catalogue yet"
    if not system.prepared():
        found["preparation"] = "the database is being prepared"
    return {part: reason for part, reason in found.items() if reason is not None}


def _figures(system: WebSystem) -> list[QueueFigures]:
    try:
        return queue_figures(system)
    except (Outage, Unavailable):
        return []


ROUTES = (healthz, readyz, metrics)

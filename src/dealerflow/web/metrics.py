"""What Prometheus may know: requests by route, orders taken, and the queues as they stand."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dealerflow.application.ports import QueueFigures

CONTENT_TYPE = "text/plain; version=0.0.4"
UNKNOWN_ROUTE = "(none)"

_FIGURES = ("waiting", "in_flight", "delayed", "dead", "oldest_age_s")


class Metrics:
    """Counts for one application; nothing is global."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "dealerflow_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "dealerflow_request_seconds",
            "Time until the answer began.",
            ("method", "route"),
            registry=self._registry,
        )
        taken = Counter("dealerflow_orders_taken", "Orders accepted by intake.", registry=self._registry)
        self.order_taken = taken.inc

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one request. `route` is its template, so that ids in addresses make no new series."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, queues: list[QueueFigures]) -> bytes:
        """Everything in Prometheus' text format, with the queues' figures."""
        now = CollectorRegistry(auto_describe=False)
        now.register(_Queues(queues))
        return generate_latest(self._registry) + generate_latest(now)


class _Queues(Collector):
    def __init__(self, figures: list[QueueFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name in _FIGURES:
            family = GaugeMetricFamily(f"dealerflow_queue_{name}", f"Messages: {name}.", labels=("queue",))
            for queue in self._figures:
                family.add_metric([queue.name], float(getattr(queue, name)))
            yield family

"""The web application: routes, errors and lifespan put together."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext

from litestar import Litestar, Router
from litestar.concurrency import get_asyncio_executor, set_asyncio_executor
from litestar.config.app import AppConfig
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler

from dealerflow.application.upkeep import Upkeep, keep_up
from dealerflow.domain.forms import MAX_BODY_BYTES
from dealerflow.web import health, intake
from dealerflow.web.api import (
    catalogue,
    documents,
    events,
    figures,
    loads,
    mail,
    orders,
    payments,
    queues,
    sessions,
    webhooks,
)
from dealerflow.web.frame import Frame
from dealerflow.web.intake import IntakeRoute
from dealerflow.web.metrics import Metrics
from dealerflow.web.pages import ROUTES as PAGES
from dealerflow.web.pages.problem import for_people
from dealerflow.web.reference import document_routes
from dealerflow.web.refusals import HANDLERS
from dealerflow.web.system import WebSystem

API = "/api/v1"
MOST_THREADS = 16  # calls that are worked at once; the rest wait. Each may hold a database connection.

API_ROUTES: tuple[HTTPRouteHandler, ...] = (
    *intake.ROUTES,
    *sessions.ROUTES,
    *queues.ROUTES,
    *mail.ROUTES,
    *catalogue.ROUTES,
    *orders.ROUTES,
    *payments.ROUTES,
    *documents.ROUTES,
    *loads.ROUTES,
    *events.ROUTES,
    *figures.ROUTES,
    *webhooks.ROUTES,
)


def make_app(system: WebSystem, pages: Sequence[ControllerRouterHandler] = PAGES) -> ASGIApp:
    """The whole application as ASGI. Its lifespan keeps intake up to date (`system.upkeep`). `pages` are the HTML routes."""
    _bound_threads()
    metrics = Metrics()
    described = {API: API_ROUTES, "": health.ROUTES}
    framework = _Framework(
        route_handlers=[
            Router(API, route_handlers=API_ROUTES),
            *health.ROUTES,
            *document_routes(described, public_url=system.public_url),
            # In a router of their own: two methods of one path that are registered one after the other are wrapped twice.
            Router("/", route_handlers=pages),
        ],
        exception_handlers=for_people(HANDLERS),
        lifespan=[_lifespan(system)],
        state=State({"system": system, "metrics": metrics}),
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    short_way = IntakeRoute(system.intake, system.ids, metrics.order_taken)
    return Frame(framework, short_way, metrics, https=system.is_https, tracing=system.tracing)


class _Framework(Litestar):
    """Litestar as we use it."""

    @staticmethod
    def _patch_opentelemetry_middleware(config: AppConfig) -> AppConfig:
        """Leave OpenTelemetry alone, which Litestar would import to see whether it is used: traces begin in the frame."""
        return config


def _lifespan(system: WebSystem) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        system.upkeep.begin()
        with _kept_up(system.upkeep) if system.keeps_up else nullcontext():
            yield

    return lifespan


@contextmanager
def _kept_up(upkeep: Upkeep) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=keep_up, args=(upkeep, stopping.wait), name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _bound_threads() -> None:
    """Give plain handlers a pool of their own in this process, so that logins that wait leave threads to others."""
    if get_asyncio_executor() is None:
        set_asyncio_executor(ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="call"))

"""The function on AWS that serves the pages and the API: the same application as on one machine, behind an HTTP API."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from mangum import Mangum

from dealerflow.adapters.aws import logs
from dealerflow.adapters.aws.intake import SqsSpool
from dealerflow.adapters.aws.tries import DynamoTries
from dealerflow.adapters.database.intake_feed import SqlIntakeFeed
from dealerflow.adapters.database.mail_log import SqlMailLog
from dealerflow.adapters.database.queries import SqlQueries
from dealerflow.adapters.database.sessions import SqlAccess
from dealerflow.adapters.security.passwords import random_id
from dealerflow.application.access import Access
from dealerflow.application.snapshots import Snapshots
from dealerflow.application.upkeep import Upkeep
from dealerflow.composition.aws import AwsSystem, of_environment
from dealerflow.composition.aws_intake import answer_of
from dealerflow.domain.errors import DealerflowError, Unavailable
from dealerflow.web.app import make_app
from dealerflow.web.problems import PROBLEM_JSON, problem_of
from dealerflow.web.system import WebSystem
from dealerflow.web.taking import Intake

log = logging.getLogger(__name__)

# Everything else, PDFs say, goes through the HTTP API as base64.
TEXTS = ["text/", "application/json", PROBLEM_JSON, "application/javascript", "image/svg+xml"]

LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def web_app(system: AwsSystem) -> ASGIApp:
    """The application. Before each request intake's snapshot is made fresh; what else upkeep does runs on a schedule."""
    spool = SqsSpool(system.clients, system.names)
    snapshots = Snapshots(spool, system.clock)
    intake = Intake(
        spool=spool, links=system.links, clock=system.clock, ids=system.ids, newer=snapshots.newer
    )
    access = Access(
        secret=system.secret,
        store=SqlAccess(system.engine),
        hasher=system.hasher,
        clock=system.clock,
        random_id=random_id,
        limits=partial(DynamoTries, system.clients, system.names),
    )
    app = make_app(
        WebSystem(
            database=system.database,
            queries=SqlQueries(system.engine, system.clock, system.pipelines),
            store=system.store,
            mails=SqlMailLog(system.engine),
            access=access,
            links=system.links,
            intake=intake,
            upkeep=Upkeep(
                intake=intake,
                spool=spool,
                feed=SqlIntakeFeed(system.database),
                access=access,
                clock=system.clock,
            ),
            printer=system.printer,
            pipelines=system.pipelines,
            clock=system.clock,
            ids=system.ids,
            public_url=system.settings.public_url,
            keeps_up=False,
            streams=False,
        )
    )
    return _Fresh(app, intake, snapshots)


def behind_http_api(app: ASGIApp) -> LambdaHandler:
    """The application as a function that answers an HTTP API."""
    # Lifespan is of no use: Lambda never says that it ends, and nothing runs between requests.
    return Mangum(app, lifespan="off", text_mime_types=TEXTS)  # type: ignore[arg-type]


class _Fresh:
    """Brings intake's snapshot up to date before each request, if it is time."""

    def __init__(self, app: ASGIApp, intake: Intake, snapshots: Snapshots) -> None:
        self._app = app
        self._intake = intake
        self._snapshots = snapshots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            self._intake.snapshot = self._snapshots.fresh()
        await self._app(scope, receive, send)


def serves() -> LambdaHandler:
    """The handler of the function."""

    @cache
    def function() -> LambdaHandler:
        # Made at the first call, when what is wrong with it can be logged and tried again.
        system = of_environment()
        logs.configure(system.settings.log_level, "web")
        return behind_http_api(web_app(system))

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            serve = function()
        except DealerflowError as error:
            log.error("the function cannot begin: %s", error)  # noqa: TRY400 - it says all there is to say
            away = Unavailable("nothing can be answered at the moment")
            return answer_of(problem_of(away, event.get("rawPath", "")))
        return serve(event, context)

    return handler

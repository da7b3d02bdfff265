"""The function on AWS that takes orders. It rests on as little as can be: its cold start is a customer waiting."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dealerflow.adapters.aws import logs
from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.intake import SqsSpool
from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.clock import SystemClock, TimeIds
from dealerflow.application.intake import Accepted
from dealerflow.application.links import Links
from dealerflow.application.ports import Ids
from dealerflow.application.snapshots import Snapshots
from dealerflow.composition.settings import settings_of
from dealerflow.domain.errors import DealerflowError, TooLarge, Unavailable
from dealerflow.domain.intake import MAX_ORDER_BYTES
from dealerflow.web.problems import PROBLEM_JSON, ProblemAnswer, problem_of, unexpected_problem
from dealerflow.web.security import Headers, security_headers
from dealerflow.web.taking import PATH, Intake, headers_of, who

log = logging.getLogger(__name__)

JSON = "application/json"
_NO_DATA = Path("/tmp")  # noqa: S108 - all that a function may write to; nothing of ours is kept there

LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


class IntakeFunction:
    """Answers `POST /api/v1/orders` of an HTTP API (payload format 2.0), as the web process does on one machine.

    `https`: whether people reach it over TLS. Belongs to one thread; a function has one request at a time.
    """

    def __init__(self, intake: Intake, snapshots: Snapshots, ids: Ids, *, https: bool) -> None:
        self._intake = intake
        self._snapshots = snapshots
        self._ids = ids
        self._headers = {"cache-control": "no-store", **_texts(security_headers(https=https))}

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request; never raises."""
        try:
            taken = asyncio.run(self._take(event))
        except DealerflowError as error:
            return answer_of(problem_of(error, PATH), self._headers)
        except Exception as error:  # noqa: BLE001 - nothing stands around this that would answer for it
            return answer_of(unexpected_problem(error, f"POST {PATH}", PATH, self._ids), self._headers)
        return _answer(202, JSON, taken.answer, {**self._headers, **_texts(headers_of(taken))})

    async def _take(self, event: Mapping[str, Any]) -> Accepted:
        raw = _body(event)
        if len(raw) > MAX_ORDER_BYTES:
            raise TooLarge(f"An order has at most {MAX_ORDER_BYTES} bytes.")
        self._intake.snapshot = self._snapshots.fresh()
        headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
        key, caller = who(
            (name.encode(), value.encode("utf-8", "replace")) for name, value in headers.items()
        )
        return await self._intake.take(raw, key=key, caller=caller)


def answer_of(problem: ProblemAnswer, headers: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """A problem as an HTTP API wants it."""
    own = {name.lower(): value for name, value in problem.headers.items()}
    return _answer(problem.status, PROBLEM_JSON, problem.body, {**headers, **own})


def _answer(status: int, media_type: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    typed = {**headers, "content-type": media_type}
    return {"statusCode": status, "headers": typed, "body": body.decode(), "isBase64Encoded": False}


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")


def _texts(headers: Headers) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


def takes_orders() -> LambdaHandler:
    """The handler of the function."""

    @cache
    def function() -> IntakeFunction:
        # Made at the first call, when what is wrong with it can be told and tried again.
        return of_environment(os.environ)

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        try:
            taker = function()
        except DealerflowError as error:
            log.error("the function cannot begin: %s", error)  # noqa: TRY400 - it says all there is to say
            return answer_of(problem_of(Unavailable("orders cannot be taken at the moment"), PATH))
        return taker.answer(event)

    return handler


def of_environment(environment: Mapping[str, str]) -> IntakeFunction:
    """The function with what its environment says. Raises WrongSetting, and Outage while the secret cannot be read."""
    settings = settings_of(_NO_DATA, environment)
    logs.configure(settings.log_level, "intake")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    partition = environment.get("DEALERFLOW_PARTITION", "aws")
    clients = Clients(region)
    names = Names(stack=settings.stack, region=region, account=settings.account, partition=partition)
    secret = settings.secret_key
    if not secret:
        with aws_calls("Secrets Manager"):
            secret = clients.secrets.get_secret_value(SecretId=names.signing_secret)["SecretString"]
    clock = SystemClock()
    ids = TimeIds(clock.now)
    links = Links(secret, settings.public_url)
    spool = SqsSpool(clients, names)
    snapshots = Snapshots(spool, clock)
    intake = Intake(spool=spool, links=links, clock=clock, ids=ids, newer=snapshots.newer)
    return IntakeFunction(intake, snapshots, ids, https=settings.public_url.startswith("https://"))

"""What lies around the whole application: intake beside the framework, and headers and figures for every answer."""

from __future__ import annotations

from time import perf_counter

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from dealerflow.application.tracing import UNTRACED, Tracing
from dealerflow.web.metrics import UNKNOWN_ROUTE, Metrics
from dealerflow.web.problems import plain_problem, respond
from dealerflow.web.security import STATIC, has_control_characters, says_how_to_cache, security_headers
from dealerflow.web.taking import PATH as ORDERS

NOT_TRACED = (STATIC, "/healthz", "/readyz", "/metrics")  # asked all the time, and of no interest afterwards
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Frame:
    """The ASGI application. Taking an order does not pass through the framework: there it would be most of the cost."""

    def __init__(
        self,
        framework: ASGIApp,
        intake: ASGIApp,
        metrics: Metrics,
        *,
        https: bool,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._framework = framework
        self._intake = intake
        self._metrics = metrics
        self._tracing = tracing
        self._headers = security_headers(https=https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await self._http(scope, receive, send)
        else:
            await self._framework(scope, receive, send)

    async def _http(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        started = perf_counter()
        if scope["method"] == "HEAD":  # asked by monitors and by what looks at links in mails
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        if path == ORDERS and scope["method"] == "POST":
            answering = _Answering(send, self._headers, cacheable=False)
            with self._tracing.request("POST", scope["headers"]) as answered:
                await self._intake(scope, receive, answering)
                answered(ORDERS, answering.status, None)
            self._metrics.answered("POST", ORDERS, answering.status, perf_counter() - started)
            return
        answering = _Answering(send, self._headers, cacheable=path.startswith(STATIC))
        method = str(scope["method"]) if scope["method"] in KNOWN_METHODS else "other"
        tracing = UNTRACED if path.startswith(NOT_TRACED) else self._tracing
        with tracing.request(method, scope["headers"]) as answered:
            if has_control_characters(path, scope["query_string"]):
                await respond(answering, plain_problem(400, "The address holds control characters.", ""))
            else:
                await self._framework(scope, receive, answering)
            route = str(scope.get("path_template") or UNKNOWN_ROUTE)
            answered(route, answering.status, scope.get("path_params", {}).get("order_id"))
        self._metrics.answered(method, route, answering.status, answering.began - started)


def _without_body(send: Send) -> Send:
    """Sends the head of an answer only (RFC 9110, 9.3.2): its end comes at once, so that no stream is told to nobody."""
    ended = False

    async def head(message: Message) -> None:
        nonlocal ended
        if message["type"] != "http.response.body":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return head


class _Answering:
    """Adds the common headers to an answer as it begins, and remembers its status."""

    __slots__ = ("_cacheable", "_headers", "_send", "began", "status")

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]], *, cacheable: bool) -> None:
        self._send = send
        self._headers = headers
        self._cacheable = cacheable
        self.status = 0
        self.began = perf_counter()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.began = perf_counter()
            own = {name.lower() for name, _ in message["headers"]}  # a page may have a policy of its own
            headers = [*message["headers"], *(header for header in self._headers if header[0] not in own)]
            if not self._cacheable and not says_how_to_cache(message["headers"]):
                headers.append((b"cache-control", b"no-store"))
            message["headers"] = headers
        await self._send(message)

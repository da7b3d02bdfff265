"""An HTTP API before a function, as API Gateway puts it there (payload format 2.0), for httpx."""

from __future__ import annotations

import base64
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx

Function = Callable[[dict[str, Any], Any], dict[str, Any]]

ADDRESS = "203.0.113.7"  # of whoever asks (RFC 5737)
# What API Gateway hands on as text; everything else, forms too, as base64.
TEXTS = ("text/", "application/json", "application/xml", "application/javascript")


class HttpApi(httpx.BaseTransport):
    """Asks the function. `events` are those that it got, `answers` what it gave."""

    def __init__(self, function: Function, *, address: str = ADDRESS) -> None:
        self._function = function
        self._address = address
        self.events: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.events.append(self._event(request))
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="request-1")
        answer = self._function(self.events[-1], context)
        self.answers.append(answer)
        body = answer.get("body", "")
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        headers = list(answer.get("headers", {}).items())
        headers += [("set-cookie", cookie) for cookie in answer.get("cookies", ())]
        return httpx.Response(answer["statusCode"], headers=headers, content=content)

    def _event(self, request: httpx.Request) -> dict[str, Any]:
        body = request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        cookies = [one for one in headers.pop("cookie", "").split("; ") if one]
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": request.url.path,
            "rawQueryString": request.url.query.decode(),
            "headers": headers,
            "requestContext": {
                "http": {
                    "method": request.method,
                    "path": request.url.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self._address,
                    "userAgent": "a test",
                },
                "stage": "$default",
            },
            "isBase64Encoded": False,
        }
        if cookies:
            event["cookies"] = cookies
        if body:
            as_text = headers.get("content-type", "").startswith(TEXTS)
            event["body"] = body.decode("utf-8", "replace") if as_text else base64.b64encode(body).decode()
            event["isBase64Encoded"] = not as_text
        return event


def client(function: Function, url: str = "http://dealerflow.test", **more: Any) -> httpx.Client:
    """A browser before the function: it keeps its cookies."""
    return httpx.Client(transport=HttpApi(function, **more), base_url=url)

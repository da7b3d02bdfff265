"""Errors that no page has handled, as a page for browsers: an unknown address, a wrong method, a mistake of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Response

from dealerflow.web.pages.fields import Fields
from dealerflow.web.pages.frame import Visit, show_status
from dealerflow.web.system import HttpRequest

API = "/api/"

ErrorHandler = Callable[[Any, Any], Response[bytes]]


def for_people(
    handlers: Mapping[type[Exception] | int, ErrorHandler],
) -> dict[type[Exception] | int, ErrorHandler]:
    """The same handlers, which answer a browser that asked for a page with one."""
    return {kind: _for_people(handler) for kind, handler in handlers.items()}


def _for_people(handler: ErrorHandler) -> ErrorHandler:
    def handle(request: HttpRequest, error: Exception) -> Response[bytes]:
        answer = handler(request, error)
        if request.url.path.startswith(API) or "text/html" not in request.headers.get("accept", ""):
            return answer
        # Here the event loop waits, so nobody is looked up in the database.
        visit = Visit(request, Fields(), asyncio.get_running_loop())
        visit.account = None
        page = show_status(visit, answer.status_code or 500)
        page.headers.update(answer.headers)
        return page

    return handle

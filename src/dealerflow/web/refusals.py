"""What the framework does with an error: it becomes a problem (`web.problems`)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from litestar import Response
from litestar.exceptions import HTTPException

from dealerflow.domain import errors
from dealerflow.domain.errors import DealerflowError
from dealerflow.web.problems import (
    PROBLEM_JSON,
    ProblemAnswer,
    plain_problem,
    problem_of,
    status_of,
    unexpected_problem,
)
from dealerflow.web.system import HttpRequest, system_of

_log = logging.getLogger(__name__)


def _of_core(request: HttpRequest, error: DealerflowError) -> Response[bytes]:
    if status_of(error) == 503:
        _log.warning("%s unavailable: %s", request.scope.get("path_template"), error.detail)
    return _response(problem_of(error, request.url.path))


def _of_http(request: HttpRequest, error: HTTPException) -> Response[bytes]:
    kept = {
        name: value
        for name, value in (error.headers or {}).items()
        if name.lower() in ("allow", "retry-after")
    }
    detail = _HTTP_DETAILS.get(error.status_code, error.detail)
    if error.status_code >= 500:
        return _unexpected(request, error)
    return _response(plain_problem(error.status_code, detail, request.url.path, kept))


def _unexpected(request: HttpRequest, error: Exception) -> Response[bytes]:
    route = f"{request.method} {request.scope.get('path_template')}"
    return _response(unexpected_problem(error, route, request.url.path, system_of(request).ids))


def _response(answer: ProblemAnswer) -> Response[bytes]:
    return Response(answer.body, status_code=answer.status, headers=answer.headers, media_type=PROBLEM_JSON)


_HTTP_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not know this method.",
    413: str(errors.TooLarge()),
}

HANDLERS: dict[type[Exception] | int, Callable[[Any, Any], Response[bytes]]] = {
    DealerflowError: _of_core,
    HTTPException: _of_http,
    Exception: _unexpected,
}

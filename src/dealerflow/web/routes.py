"""Declares a route of the API together with what the OpenAPI document says of it.

    @post("/orders/{order_id:str}/decisions", form=DecisionForm, answers={202: Decided}, errors=(409,), access=KEY)
    def decide(request: HttpRequest, order_id: FromPath[str], body: RawBody) -> Response[bytes]:
        \"\"\"Decide an outcome of the order's step.\"\"\"

Handlers are plain functions that run in the thread pool; a coroutine runs on the event loop, and must not wait for the database.
Their paths begin behind /api/v1 (`ROUTES` of each module in `web.api`, which `web.app` names).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from litestar.handlers import HTTPRouteHandler
from litestar.types import Method

Access = Literal["anyone", "account", "key"]
ANYONE: Access = "anyone"  # needs no credentials
ACCOUNT: Access = "account"  # a bearer token or a session
KEY: Access = "key"  # the same, or the customer's key

OPERATION = "operation"  # where a handler's `opt` holds its Operation


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query parameter, which is never required. `type` as msgspec knows it."""

    name: str
    text: str
    type: Any = str

    def __deepcopy__(self, memo: dict[int, Any]) -> Query:
        """Itself: routes are copied with all that they carry, and msgspec's Meta cannot be."""
        return self


PAGING = (
    Query(name="limit", text="at most so many items, 1 to 200", type=int),
    Query(name="cursor", text="`next` of the page before"),
)


@dataclass(frozen=True, kw_only=True)
class Media:
    """An answer of these media types: a type for JSON, None for a format that has no schema."""

    types: Mapping[str, Any]


PDF = Media(types={"application/pdf": None})


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the OpenAPI document says of a route. `answers`: status → struct, `Media`, or None for no body.

    `repeatable`: a POST that honours `Idempotency-Key`. Name and text are those of the handler.
    """

    answers: Mapping[int, Any]
    form: Any = None
    query: tuple[Query, ...] = ()
    errors: tuple[int, ...] = ()
    access: Access = ACCOUNT
    repeatable: bool = True
    name: str = ""
    text: str = ""


def get(
    path: str, *, answers: Mapping[int, Any], **more: Any
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A route that reads. `more` are further fields of Operation."""
    return _route("GET", path, Operation(answers=answers, **more))


def post(
    path: str, *, answers: Mapping[int, Any], **more: Any
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A route that does something; `Idempotency-Key` is documented with it."""
    return _route("POST", path, Operation(answers=answers, **more))


def put(
    path: str, *, answers: Mapping[int, Any], **more: Any
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A route that replaces something."""
    return _route("PUT", path, Operation(answers=answers, **more))


def delete(
    path: str, *, answers: Mapping[int, Any], **more: Any
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A route that removes something."""
    return _route("DELETE", path, Operation(answers=answers, **more))


def _route(
    method: Method, path: str, operation: Operation
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        handler = HTTPRouteHandler(
            path,
            http_method=method,
            status_code=200,  # each answer says its own
            opt={OPERATION: replace(operation, name=function.__name__, text=function.__doc__ or "")},
            sync_to_thread=None if inspect.iscoroutinefunction(function) else True,
        )
        declared: HTTPRouteHandler = handler(function)
        return declared

    return declare

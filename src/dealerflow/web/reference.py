"""The OpenAPI document, made from what each route declares, and a plain page that shows it without any script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import product
from typing import Any

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from dealerflow.application.calls import HEADER as IDEMPOTENCY_KEY
from dealerflow.web.auth import FORM_TOKEN_HEADER, session_cookie_name
from dealerflow.web.body import JSON, respond
from dealerflow.web.paging import LONGEST_TEXT, MOST
from dealerflow.web.problems import PROBLEM_JSON, Problem
from dealerflow.web.reference_page import page
from dealerflow.web.routes import ANYONE, KEY, OPERATION, Media, Operation, get

TITLE = "Dealerflow"
VERSION = "1"
DESCRIPTION = "Carries a car from the order page of a dealership to the handover of its keys."
_COMPONENTS = "#/components/schemas/{name}"
_ID = "^[A-Za-z0-9_-]+$"
_CURSOR = "^[A-Za-z0-9_-]+$"
_TEXT = r"^[^\x00-\x1f\x7f]*$"
_BODY_ERRORS = (413, 422)
_PATH_PARAMETER = re.compile(r"\{(\w+):\w+\}")


def openapi(routes: Mapping[str, Sequence[HTTPRouteHandler]], *, public_url: str) -> dict[str, Any]:
    """The document. `routes` were declared with `web.routes`, by the prefix of their paths; others are left out."""
    declared = list(_declared(routes))
    schemas = _Schemas(operation for *_, operation in declared)
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in declared:
        shown = _PATH_PARAMETER.sub(r"{\1}", path)
        paths.setdefault(shown, {})[method] = _operation(path, method, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": public_url}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.components, "securitySchemes": _security_schemes(public_url)},
    }


def _security_schemes(public_url: str) -> dict[str, Any]:
    cookie = session_cookie_name(https=public_url.startswith("https://"))
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token that `dealerflow token` printed.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": f"Set by POST /api/v1/sessions; what changes something also needs {FORM_TOKEN_HEADER}.",
        },
        "key": {
            "type": "apiKey",
            "in": "query",
            "name": "key",
            "description": "The customer's, from tracking_url.",
        },
    }


_ANONYMOUS: dict[str, list[str]] = {}


def _declared(routes: Mapping[str, Sequence[HTTPRouteHandler]]) -> Iterator[tuple[str, str, Operation]]:
    """(path, method, operation) of each route."""
    for prefix, handlers in routes.items():
        for handler in handlers:
            operation = handler.opt.get(OPERATION)
            if isinstance(operation, Operation):
                for path, method in product(handler.paths, handler.http_methods):
                    yield prefix + path, method.lower(), operation


class _Schemas:
    """JSON Schemas of every struct that some operation takes or gives."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        types: list[Any] = [Problem]
        for operation in operations:
            types += [operation.form] if operation.form else []
            types += [kind for answer in operation.answers.values() for kind in _types(answer)]
        self._types = list(dict.fromkeys(types))
        made, self.components = msgspec.json.schema_components(self._types, ref_template=_COMPONENTS)
        self._made: dict[Any, dict[str, Any]] = dict(zip(self._types, made, strict=True))

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema, mostly a reference."""
        if kind in self._made:
            return self._made[kind]
        made, _ = msgspec.json.schema_components([kind], ref_template=_COMPONENTS)
        return made[0]


def _types(answer: Any) -> list[Any]:
    if isinstance(answer, Media):
        return [kind for kind in answer.types.values() if kind is not None]
    return [] if answer is None else [answer]


def _operation(path: str, method: str, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    summary, _, description = re.sub(r"\n\s*", "\n", operation.text).strip().partition("\n")
    said: dict[str, Any] = {
        "operationId": operation.name,
        "summary": summary,
        "parameters": list(_parameters(path, method, operation, schemas)),
        "responses": dict(_responses(path, method, operation, schemas)),
        "security": _security(operation),
    }
    if description.strip():
        said["description"] = description.strip()
    if operation.form is not None:
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas.of(operation.form)}}}
    return said


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.access == ANYONE:
        return [_ANONYMOUS]
    staff: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
    return [*staff, {"key": []}] if operation.access == KEY else staff


def _parameters(path: str, method: str, operation: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    for found in _PATH_PARAMETER.finditer(path):
        yield {"name": found[1], "in": "path", "required": True, "schema": {"type": "string", "pattern": _ID}}
    for query in operation.query:
        yield {
            "name": query.name,
            "in": "query",
            "required": False,
            "description": query.text,
            "schema": _query_schema(query.name, schemas.of(query.type)),
        }
    if method == "post" and operation.repeatable:
        yield {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "required": False,
            "description": "The same answer is given again to the same call with this key, for 24 hours.",
            "schema": {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": 255},
        }


def _query_schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What is not in the declared type: no parameter takes control characters."""
    if name == "limit":
        return {**schema, "minimum": 1, "maximum": MOST}
    if name == "cursor":
        return {**schema, "pattern": _CURSOR}
    return {"pattern": _TEXT, "maxLength": LONGEST_TEXT, **schema} if schema == {"type": "string"} else schema


def _responses(
    path: str, method: str, operation: Operation, schemas: _Schemas
) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in operation.answers.items():
        yield str(status), {"description": HTTPStatus(status).phrase, **_content(answer, schemas)}
    for status in sorted(_error_statuses(path, method, operation) - set(operation.answers)):
        content = {PROBLEM_JSON: {"schema": schemas.of(Problem)}}
        yield str(status), {"description": HTTPStatus(status).phrase, "content": content}


def _content(answer: Any, schemas: _Schemas) -> dict[str, Any]:
    if answer is None:
        return {}
    types = answer.types if isinstance(answer, Media) else {JSON: answer}
    return {"content": {media: _media(kind, schemas) for media, kind in types.items()}}


def _media(kind: Any, schemas: _Schemas) -> dict[str, Any]:
    return {} if kind is None else {"schema": schemas.of(kind)}


def _error_statuses(path: str, method: str, operation: Operation) -> set[int]:
    """What can go wrong with every route of this kind, beside what it declares itself."""
    statuses = {400, 503, *operation.errors}
    if operation.access != ANYONE:
        statuses |= {401, 403}
    if _PATH_PARAMETER.search(path) or operation.access == KEY:
        statuses.add(404)
    if operation.form is not None:
        statuses.update(_BODY_ERRORS)
    if method == "post" and operation.repeatable:
        statuses |= {413, 422}  # a key that was used for another body
    return statuses


def document_routes(
    routes: Mapping[str, Sequence[HTTPRouteHandler]], *, public_url: str
) -> list[HTTPRouteHandler]:
    """`/openapi.json`, and `/docs`, which shows the same to people."""
    document = openapi(routes, public_url=public_url)
    as_json = msgspec.json.encode(document)
    as_page = page(document).encode()

    @get("/openapi.json", answers={200: None}, access=ANYONE)
    def openapi_json() -> Response[bytes]:
        """The OpenAPI document of this API."""
        return respond(as_json)

    @get("/docs", answers={200: None}, access=ANYONE)
    def docs() -> Response[bytes]:
        """The API reference as a page."""
        return respond(as_page, media_type="text/html")

    return [openapi_json, docs]

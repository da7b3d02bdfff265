"""docs/reference/http-api.md, from the OpenAPI document that the program serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dealerflow.application.calls import HEADER
from dealerflow.web import health
from dealerflow.web.app import API, API_ROUTES
from dealerflow.web.reference import openapi
from scripts.reference.markdown import page as markdown_page
from scripts.reference.markdown import table

PUBLIC_URL = "http://127.0.0.1:8000"  # of the demo; an installation serves its own
WHO = {"bearer": "token", "session": "session", "key": "customer's key"}

INTRODUCTION = """A running Dealerflow serves this with every schema as OpenAPI 3.1 at `/openapi.json`, and as
a page at `/docs`; `dealerflow openapi` prints the document. Everything but the last group is under
`/api/v1`.

**Values.** JSON in snake_case. Times are RFC 3339 in UTC with milliseconds, money is `{"amount": minor units,
"currency": "EUR"}`, ids have a prefix and sort by time.

**Who calls.** Scripts send `Authorization: Bearer …` (from `dealerflow token ACCOUNT`), pages a session
cookie and, with whatever changes something, the header `X-CSRF-Token` as `GET /me` gives it. A customer adds
`?key=…`, as it stands in `tracking_url`. No or wrong credentials: 401. A route closed to a role: 403. An
object outside the caller's scope does not exist: 404; so does an order under a wrong key.

**Errors** are [problems](problems.md). A body that is no JSON is 400, too large 413, wrong 422 with every
fault at once.

**Repeating.** `Idempotency-Key` is honoured on every POST that does something, for 24 hours, per caller,
method and path: the same answer is given again, with `Idempotent-Replayed: true`. Another body with the same key
is 422. Only 2xx answers are kept. Where a POST ignores the key, because it changes nothing that a repeat could
double, it says so below.

**Lists** are `{"items": […], "next": cursor or null}` with `?limit=` (1 to 200) and `?cursor=`.

**Order of the checks of a decision**: the order is visible (404), its step is current and undecided (409),
the caller decides this outcome (403), outcome and details are right (422), no guard blocks it (409, with the
reason)."""


def page() -> str:
    """The page."""
    whole = openapi({API: API_ROUTES, "": health.ROUTES}, public_url=PUBLIC_URL)
    groups: dict[str, list[str]] = {}
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            text = "\n\n".join(_operation(path, method, operation, whole["components"]["schemas"]))
            groups.setdefault(_group(path), []).append(text)
    parts = (f"## {group}\n\n" + "\n\n".join(groups[group]) for group in sorted(groups, key=_place))
    return markdown_page("HTTP API", INTRODUCTION, _overview(whole["paths"]), *parts)


OUTSIDE = "Outside the API"


def _group(path: str) -> str:
    return path.removeprefix(f"{API}/").split("/")[0] if path.startswith(API) else OUTSIDE


def _place(group: str) -> tuple[bool, str]:
    return group == OUTSIDE, group


def _overview(paths: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (f"[`{method.upper()} {path}`](#{_anchor(method, path)})", operation["summary"], _who(operation))
        for path, operations in sorted(paths.items(), key=lambda pair: _place(_group(pair[0])))
        for method, operation in operations.items()
    ]
    return table(("call", "does", "needs"), rows)


def _anchor(method: str, path: str) -> str:
    kept = "".join(sign for sign in f"{method} {path}".lower() if sign.isalnum() or sign in " -_")
    return kept.replace(" ", "-")


def _who(operation: Mapping[str, Any]) -> str:
    schemes = [WHO[name] for choice in operation["security"] for name in choice]
    return ", ".join(schemes) or "nothing"


def _operation(
    path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`"
    yield operation["summary"] + ("\n\n" + operation["description"] if "description" in operation else "")
    queries = [one for one in operation["parameters"] if one["in"] == "query"]
    if queries:
        yield table(("query", "is"), ((f"`{one['name']}`", one.get("description", "")) for one in queries))
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        yield "Body: " + _fields(content["schema"], schemas)
    if method == "post" and not any(one["name"] == HEADER for one in operation["parameters"]):
        yield "`Idempotency-Key` is ignored: a repeat does no harm."
    yield "Answers: " + "; ".join(_answers(operation["responses"], schemas)) + "."


def _answers(responses: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    good = [status for status in responses if int(status) < 400]
    for status in good:
        media = [
            _media(kind, content, schemas) for kind, content in responses[status].get("content", {}).items()
        ]
        yield f"**{status}**" + (" " + " or ".join(media) if media else "")
    yield "problems " + ", ".join(status for status in responses if status not in good)


def _media(kind: str, content: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    return _fields(content["schema"], schemas) if "schema" in content else f"`{kind}`"


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    text = _object(schema, schemas)
    return f"`{text}`" if text else "JSON"


def _object(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """The names of an object's fields; a question mark after those that may be left out. Items of a list are told too."""
    found: Mapping[str, Any] = schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    required = set(found.get("required", ()))
    names = []
    for name, kind in found.get("properties", {}).items():
        shown = name if name in required else f"{name}?"
        items = _object(kind["items"], schemas) if name == "items" else ""
        names.append(f"{shown}: [{items}]" if items else shown)
    return "{" + ", ".join(names) + "}" if names else ""

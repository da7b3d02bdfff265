"""The OpenAPI document as one plain page: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec

from dealerflow.web.pages.assets import assets
from dealerflow.web.problems import known_problems


def page(document: dict[str, Any]) -> str:
    """HTML of the whole document: its routes, then its schemas."""
    return "\n".join(_page(document))


def _page(document: dict[str, Any]) -> Iterator[str]:
    title = escape(f"{document['info']['title']} API")
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<title>{title}</title><link rel="icon" href="{assets().url("icon.svg")}" type="image/svg+xml">'
    yield f'<link rel="stylesheet" href="{assets().url("reference.css")}"></head><body><main>'
    yield f"<h1>{title}</h1><p>{escape(document['info']['description'])}</p>"
    yield '<p>For programs: <a href="/openapi.json">openapi.json</a></p><h2>Routes</h2>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _route(path, method, operation)
    yield "<h2>Problems</h2><dl>"
    for name, status, meaning in known_problems():
        yield f'<dt id="{escape(name)}"><code>{status} {escape(name)}</code></dt><dd>{escape(meaning)}</dd>'
    yield "</dl><h2>Schemas</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary>{escape(name)}</summary><pre>{_json(schema)}</pre></details>'
    yield "</main></body></html>"


def _route(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<section id="{escape(operation["operationId"])}">'
    yield f"<h3><code>{escape(method.upper())} {escape(path)}</code></h3><p>{escape(operation['summary'])}</p>"
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}</p>"
    yield f"<p>Credentials: {escape(_credentials(operation))}</p>"
    if operation["parameters"]:
        yield "<ul>"
        for one in operation["parameters"]:
            yield f"<li><code>{escape(one['name'])}</code> ({escape(one['in'])}) {escape(one.get('description', ''))}</li>"
        yield "</ul>"
    if "requestBody" in operation:
        yield f"<p>Body: {_content(operation['requestBody'])}</p>"
    yield "<ul>"
    for status, response in operation["responses"].items():
        yield f"<li><code>{escape(status)}</code> {escape(response['description'])} {_content(response)}</li>"
    yield "</ul></section>"


def _credentials(operation: dict[str, Any]) -> str:
    ways = [" and ".join(way) or "none" for way in operation["security"]]
    return " or ".join(ways)


def _content(holder: dict[str, Any]) -> str:
    shown = []
    for media, said in holder.get("content", {}).items():
        name = said.get("schema", {}).get("$ref", "").rpartition("/")[2]
        link = f' <a href="#{escape(name)}">{escape(name)}</a>' if name else ""
        shown.append(f"{escape(media)}{link}")
    return ", ".join(shown)


def _json(schema: dict[str, Any]) -> str:
    return escape(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())

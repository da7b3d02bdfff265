"""Bodies in and out: JSON that is checked as a whole, and answers as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from litestar import Response

from dealerflow.domain import forms

Form = TypeVar("Form")
JSON = "application/json"

_encode = msgspec.json.Encoder().encode


def read_form(form_type: type[Form], body: bytes) -> Form:
    """The struct in this body. Raises Malformed (no JSON), TooLarge, or Invalid with every fault at once."""
    return forms.decode(form_type, body)


def respond(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, media_type: str = JSON
) -> Response[bytes]:
    """An answer; structs and plain values become JSON, bytes are sent as they are, None is an empty body."""
    content = body if isinstance(body, bytes) else b"" if body is None else _encode(body)
    return Response(content, status_code=status, headers=dict(headers or {}), media_type=media_type)

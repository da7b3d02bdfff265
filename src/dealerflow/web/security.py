"""Headers that every answer carries, and addresses that no answer is given to."""

from __future__ import annotations

import re
from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

# Pages bring their own style sheets and scripts from /static; nothing inline, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "font-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)
HSTS_SECONDS = 365 * 24 * 60 * 60
STATIC = "/static/"

# Control characters: no name of ours has one, and PostgreSQL cannot store U+0000.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPED_CONTROL = re.compile(rb"%(?:[01][0-9A-Fa-f]|7[Ff])")


def security_headers(*, https: bool) -> Headers:
    """The headers of every answer. Addresses hold customers' keys, so no other site gets to see where somebody came from."""
    headers = [
        (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
    if https:
        headers.append((b"strict-transport-security", f"max-age={HSTS_SECONDS}".encode()))
    return headers


def says_how_to_cache(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether there is a Cache-Control header already."""
    return any(name.lower() == b"cache-control" for name, _ in headers)


def has_control_characters(path: str, query: bytes) -> bool:
    """Whether an address holds what nothing of ours is called."""
    return _CONTROL.search(path) is not None or _ESCAPED_CONTROL.search(query) is not None

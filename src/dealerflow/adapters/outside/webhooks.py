"""Posts events to subscribers' URLs, signed as Standard Webhooks asks (https://www.standardwebhooks.com).

Whoever sets up a webhook chooses where this machine sends a request to. So a dealership's goes to public
addresses only, unless a setting says otherwise: the name is looked up here, every address that it has is
checked, and it is the checked address that is connected to (a name may point elsewhere a moment later).
Redirects are refused: they would lead around the check.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import msgspec

from dealerflow.application.cloud_events import CONTENT_TYPE, cloud_event
from dealerflow.application.happenings import WebhookRequest
from dealerflow.application.ports import Clock

TIMEOUT_S = 15.0  # Standard Webhooks: 15 to 30 seconds
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins, not one

# What Python takes for global, and is not: site-local (RFC 3879), IPv4-compatible (RFC 4291, 2.5.5.1), IPv4-translated
# (RFC 2765) and a network's own NAT64 (RFC 8215).
_NEVER_PUBLIC = tuple(map(ipaddress.IPv6Network, ("fec0::/10", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48")))

Resolve = Callable[[str, int], Iterable[str]]


class Refused(Exception):
    """The URL leads where this webhook may not post to."""


class SignedPosts:
    """Implements `application.happenings.WebhookSender` over HTTP. Threads may share it."""

    def __init__(
        self,
        *,
        clock: Clock,
        private_for_dealerships: bool = False,
        resolve: Resolve | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`private_for_dealerships`: webhooks of dealerships may go to addresses that are not public, too."""
        self._clock = clock
        self._private_for_dealerships = private_for_dealerships
        self._resolve = resolve or _addresses
        # No proxy or netrc of the environment: they would lead around the check, or add credentials.
        self._client = httpx.Client(
            transport=transport, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
        )

    def post(self, request: WebhookRequest) -> tuple[int | None, str | None]:
        """See `WebhookSender.post`. What the server answers beside its status is not read."""
        anywhere = not request.webhook.dealership or self._private_for_dealerships
        try:
            with self._client.stream("POST", **self._told(request, anywhere)) as response:
                redirects = "redirects are not followed" if response.is_redirect else None
                return response.status_code, redirects
        except Refused as refused:
            return None, str(refused)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return None, f"{type(error).__name__}: {error}"[:500]

    def close(self) -> None:
        """Close the connections that are kept."""
        self._client.close()

    def _told(self, request: WebhookRequest, anywhere: bool) -> dict[str, Any]:
        url = httpx.URL(request.webhook.url)
        if url.scheme not in ("http", "https") or not url.host:
            raise Refused("the URL must begin with https:// or http:// and a host")
        address = self._checked_address(url, anywhere)
        body = msgspec.json.encode(cloud_event(request.event))
        at = self._clock.now() // 1000
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Content-Type": CONTENT_TYPE,
            "User-Agent": "Dealerflow",
            "Webhook-Id": request.event.id,  # the same when it is sent again: whoever has it needs it no more
            "Webhook-Timestamp": str(at),
            "Webhook-Signature": signature(request.webhook.secret, request.event.id, at, body),
        }
        return {
            "url": url.copy_with(host=address),
            "headers": headers,
            "content": body,
            "extensions": {"sni_hostname": url.host},  # the certificate must be the name's, not the address's
        }

    def _checked_address(self, url: httpx.URL, anywhere: bool) -> str:
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = list(self._resolve(url.host, port))
        if not addresses:
            raise Refused(f"{url.host} has no address")
        if not anywhere and not all(_is_public(address) for address in addresses):
            raise Refused(
                f"{url.host} is not a public address; webhooks of dealerships go to public addresses only"
            )
        return addresses[0]


def signature(secret: str, message_id: str, at: int, body: bytes) -> str:
    """`v1,` and the base64 of an HMAC-SHA256 over id, time (s) and body. The secret is `whsec_` and base64,
    or any text.
    """
    signed = b".".join((message_id.encode(), str(at).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        if any(parsed in network for network in _NEVER_PUBLIC):
            return False
        # What stands for an IPv4 address is where that leads (mapped, 6to4, NAT64).
        nat64 = ipaddress.ip_network("64:ff9b::/96")
        inner = parsed.ipv4_mapped or parsed.sixtofour
        inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in nat64 else inner
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return parsed.is_global and not parsed.is_multicast

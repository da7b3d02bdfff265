"""The customer's signed link. A key is "<link number>.<signature>" of an order's id; no database makes or checks it.

A new link makes the old one void: the order holds the number of the link that counts. An order that is not in the database yet
has link 0.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from dealerflow.application.signatures import holds, sign

_PURPOSE = "order link"
_KEY = re.compile(r"(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{24})", re.ASCII)


class Links:
    """Makes and checks the links that customers hold."""

    def __init__(self, secret: str, public_url: str) -> None:
        self._secret = secret
        self._public_url = public_url.rstrip("/")

    def make(self, order_id: str, number: int = 0) -> str:
        """The key of the order's link with this number."""
        return f"{number}.{sign(self._secret, _PURPOSE, f'{order_id} {number}')}"

    def check(self, order_id: str, key: str) -> int | None:
        """The number of the link that this key belongs to; None if it is not a key of this order."""
        found = _KEY.fullmatch(key)
        if found is None or not holds(self._secret, _PURPOSE, f"{order_id} {found[1]}", found[2]):
            return None
        return int(found[1])

    def tracking_url(self, order_id: str, number: int = 0) -> str:
        """The page on which the customer follows the order."""
        return f"{self._public_url}/orders/{order_id}?key={self.make(order_id, number)}"

    def payment_url(self, order_id: str, number: int = 0) -> str:
        """The part of that page on which the customer pays."""
        return f"{self.tracking_url(order_id, number)}#payment"

    def board_url(self, order_id: str) -> str:
        """The page on which staff decide about the order."""
        return f"{self._public_url}/board/{order_id}"

    @property
    def mail_domain(self) -> str:
        """The host's name, for Message-IDs: an installation's own name keeps them unique."""
        host = urlsplit(self._public_url).hostname or "localhost"
        return re.sub(r"[^A-Za-z0-9.-]", "-", host)

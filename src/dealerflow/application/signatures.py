"""Short signatures over ids. What is signed for one purpose is never good for another."""

from __future__ import annotations

import base64
import hashlib
import hmac

SIGNATURE_BYTES = 18  # 144 bits of HMAC-SHA-256: 24 characters


def sign(secret: str, purpose: str, text: str) -> str:
    """The signature of `text` for this purpose, in letters, digits, - and _."""
    digest = hmac.new(secret.encode(), f"{purpose}\0{text}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode()


def holds(secret: str, purpose: str, text: str, signature: str) -> bool:
    """Whether this is the signature; takes the same time whatever is wrong with it."""
    expected = sign(secret, purpose, text)
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))

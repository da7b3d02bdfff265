"""Calls that may be repeated: the answer to a call with an `Idempotency-Key` is kept for a day, and given again.

The note that a call was made and the work that it did commit together, so that a repeat after a crash either finds the answer or
does the work for the first time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from dealerflow.domain.errors import Fault, Invalid, Malformed

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT_MS = 24 * 60 * 60 * 1000
KEY_CHARACTERS = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")

_encode = msgspec.json.Encoder().encode


class KeyReused(Invalid):
    """This Idempotency-Key was used for another call."""

    def __init__(self) -> None:
        super().__init__(
            [Fault("", "this Idempotency-Key was used with another body; take a new key for a new call")]
        )


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a call is answered with; `body` is JSON, empty for none."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call: `key` stands for caller, method, path and `Idempotency-Key`, `request` for the body."""

    key: str
    request: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered to the call with this key."""

    request: str
    answer: Answer


class KeptAnswers(Protocol):
    """The answers that are kept, in the unit of work of the call."""

    def reserve(self, call: Call, *, at: int, since: int) -> Kept | None:
        """What was answered to this key after `since`. None: nothing, and until this unit of work ends the key is ours alone."""

    def answered(self, key: str, *, since: int) -> Kept | None:
        """What was answered to this key after `since`; reserves nothing."""

    def keep(self, key: str, answer: Answer) -> None:
        """Keep the answer to a reserved key."""

    def release(self, key: str) -> None:
        """Give up a reserved key without an answer."""

    def forget(self, before: int) -> int:
        """Delete what is older; how many."""


def checked_key(key: str) -> str:
    """The key, if it can be one. Raises Malformed."""
    if KEY_CHARACTERS.fullmatch(key) is None:
        raise Malformed(f"{HEADER} must be 1 to 255 plain letters, digits and signs")
    return key


def answer(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with this struct (or plain value) as its JSON; None is no body."""
    return Answer(status=status, body=b"" if body is None else _encode(body), headers=dict(headers or {}))


def call_of(caller: str, method: str, path: str, key: str, body: bytes) -> Call:
    """Keys are of one caller, method and path; a repeat has the same body, byte for byte."""
    scoped = f"{caller}\0{method}\0{path}\0{key}"
    return Call(key=_digest(scoped.encode()), request=_digest(body))


def once(kept: KeptAnswers, call: Call, run: Callable[[], Answer], *, now: int) -> tuple[Answer, bool]:
    """The answer to this call, and whether it was given before. Only good answers (2xx) are kept.

    Raises KeyReused if the key was used with another body.
    """
    earlier = kept.reserve(call, at=now, since=now - KEPT_MS)
    if earlier is not None:
        return repeated(earlier, call.request), True
    given = run()
    if 200 <= given.status < 300:
        kept.keep(call.key, given)
    else:
        kept.release(call.key)
    return given, False


def repeated(earlier: Kept, request: str) -> Answer:
    """The answer that was given before. Raises KeyReused if that was to another body."""
    if earlier.request != request:
        raise KeyReused
    return earlier.answer


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()

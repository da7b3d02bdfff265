"""The unit of work: one message, one transaction. What a handler writes, sends and notes commits together, at the edge."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from dealerflow.domain.messages import AnyMessage, Claimed, Envelope


class Handler(Protocol):
    """Works one message inside a unit of work. What it raises (other than Outage) is a failed attempt."""

    def __call__(self, work: Any, envelope: Envelope) -> None: ...


class Sending(Protocol):
    """The part of a unit of work that sends and acknowledges."""

    def send(self, queue: str, message: AnyMessage, *, group: str = "", order: str | None = None, delay_ms: int = 0) -> None:
        """Put a message on a queue; it is there when (and only if) this unit of work commits."""

    def acknowledge(self, claimed: Sequence[Claimed]) -> None:
        """Take these off their queue, in this transaction. Raises LeaseLost if one is no longer ours."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part that can fail alone: what it wrote and sent is undone when the block raises."""

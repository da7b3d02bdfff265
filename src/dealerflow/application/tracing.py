"""Traces as the services know them: what goes on here, and the context that messages carry on from it.

    request ──sending──> Envelope.trace ──handling──> span ──sending──> Envelope.trace ──handling──> …

A context is a W3C traceparent (https://www.w3.org/TR/trace-context/). Whether anybody records it is the wiring's
concern: `UNTRACED` records nothing, costs next to nothing, and is what there is by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the supervisor logs, too, and has no use for messages
    from dealerflow.domain.messages import Claimed


class Handling(Protocol):
    """Stands around the call of a handler. What it raises is passed on, noted as the outcome of these messages."""

    def __call__(self, claimed: Sequence[Claimed], doing: str = "", /) -> AbstractContextManager[None]:
        """`doing`: which part of the work, where a message's work has several."""


class Answered(Protocol):
    """Tells what became of a request. `route` is a template; `order` the one that its address names."""

    def __call__(self, route: str, status: int, order: str | None, /) -> None: ...


class Tracing(Protocol):
    """Notes what goes on, and gives what is sent from here its trace.

    Nothing of it raises or waits, and what people entered is never noted, ids are.
    """

    def sending(self, order: str | None) -> str | None:
        """The context for a message about this order that is sent from here; None where nothing is traced."""

    def trace(self) -> str | None:
        """The id of the trace that goes on here, for the logs; None where there is none, or several at once."""

    def request(
        self, method: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> AbstractContextManager[Answered]:
        """Stands around a request, and continues the trace that its headers name."""

    def transaction(self) -> AbstractContextManager[Handling]:
        """Stands around what commits together: what is handled in it is done when the block ends, undone when it raises."""

    def close(self) -> None:
        """Hand over what was noted, or give it up soon."""


class Untraced:
    """Notes nothing."""

    def sending(self, order: str | None) -> str | None:
        return None

    def trace(self) -> str | None:
        return None

    def request(
        self, method: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> AbstractContextManager[Answered]:
        return _REQUEST

    def transaction(self) -> AbstractContextManager[Handling]:
        return _TRANSACTION

    def close(self) -> None:
        pass


def _handling(claimed: Sequence[Claimed], doing: str = "", /) -> AbstractContextManager[None]:
    return _NOTHING


def _answered(route: str, status: int, order: str | None, /) -> None:
    pass


_NOTHING = nullcontext()
_REQUEST: AbstractContextManager[Answered] = nullcontext(_answered)
_TRANSACTION: AbstractContextManager[Handling] = nullcontext(_handling)

UNTRACED: Tracing = Untraced()

Carry = Callable[[str | None], str | None]
"""`Tracing.sending` alone, for those who only send."""

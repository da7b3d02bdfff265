"""The spool as the asynchronous web layer awaits it."""

from __future__ import annotations

import asyncio
from collections import deque

from dealerflow.adapters.embedded.spool import SpoolWriter
from dealerflow.application.intake import Accepted
from dealerflow.domain.messages import AnyMessage

_Answer = tuple["asyncio.Future[Accepted]", Accepted | Exception]


class SpoolGate:
    """Lets coroutines of one event loop wait for their append. The loop is woken once for a whole commit."""

    def __init__(self, writer: SpoolWriter, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = writer
        self._loop = loop
        self._answers: deque[_Answer] = deque()

    async def append(
        self,
        message: AnyMessage,
        *,
        at: int,
        answer: bytes = b"",
        key: str | None = None,
        request: str = "",
    ) -> Accepted:
        """As `SpoolWriter.append`; returns when the message is on disk. Raises KeyReused, Unavailable."""
        future: asyncio.Future[Accepted] = self._loop.create_future()

        def done(result: Accepted | Exception) -> None:
            self._answer(future, result)

        self._writer.append(message, done, at=at, answer=answer, key=key, request=request)
        return await future

    def _answer(self, future: asyncio.Future[Accepted], result: Accepted | Exception) -> None:
        # In the writer's thread. Only the first of a burst wakes the loop; the others are found by then.
        self._answers.append((future, result))
        if len(self._answers) == 1 and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        while self._answers:
            future, result = self._answers.popleft()
            if future.done():  # whoever asked has gone
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

"""Taking an order that came over HTTP, without a framework: the web process and the Lambda function share it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import cast

import msgspec

from dealerflow.application.calls import HEADER, REPLAYED, call_of, checked_key
from dealerflow.application.intake import Accepted, Receipt, Spool, new_order, receipt
from dealerflow.application.links import Links
from dealerflow.application.ports import Clock, Ids
from dealerflow.application.tracing import UNTRACED, Carry
from dealerflow.domain.errors import DealerflowError, Invalid, Unavailable
from dealerflow.domain.intake import AcceptedForm, PriceChanged, Snapshot, check
from dealerflow.domain.messages import PlaceOrder

PATH = "/api/v1/orders"

_IDEMPOTENCY_KEY = HEADER.lower().encode()
_encode = msgspec.json.Encoder().encode
_read_receipt = msgspec.json.Decoder(Receipt).decode


class Intake:
    """Takes orders against the snapshot in memory. Its methods belong to one event loop; `snapshot` may be set by any thread.

    `newer` is asked for a newer snapshot before an order is refused; None: there is none.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        links: Links,
        clock: Clock,
        ids: Ids,
        newer: Callable[[Snapshot], Snapshot | None] = lambda _: None,
        trace: Carry = UNTRACED.sending,
    ) -> None:
        self.spool = spool
        self._newer = newer
        self.snapshot: Snapshot | None = None
        self.trouble: str | None = None  # why nothing can be written now
        self._links = links
        self._clock = clock
        self._ids = ids
        self._trace = trace
        self._answers = _Answers()

    async def take(self, raw: bytes, *, key: str | None = None, caller: str = "anyone") -> Accepted:
        """Check, price and store an order; its answer is the JSON of a Receipt.

        Raises Malformed, TooLarge, Invalid (every fault; KeyReused), PriceChanged, and Unavailable when it cannot be stored now.
        """
        if key is None:
            return await self._store(raw, None, "")
        call = call_of(caller, "POST", PATH, checked_key(key), raw)
        try:
            return await self._store(raw, call.key, call.request)
        except DealerflowError:
            # What was taken once is answered the same, even if the price (say) has changed since.
            earlier = await self._find(call.key, call.request)
            if earlier is None:
                raise
            return earlier

    async def _store(self, raw: bytes, key: str | None, request: str) -> Accepted:
        snapshot = self.snapshot
        if snapshot is None:
            raise Unavailable("there is no catalogue yet; try again in a moment")
        accepted, snapshot = self._checked(raw, snapshot)
        now = self._clock.now()
        order_id = self._ids.new("ord")
        new = new_order(accepted, catalogue_version=snapshot.catalogue.version, order_id=order_id, at=now)
        answer = _encode(receipt(new, self._links.tracking_url(order_id)))
        asked: asyncio.Future[Accepted | None] = asyncio.get_running_loop().create_future()
        self.spool.append(
            PlaceOrder(new=new, trace=self._trace(order_id)),
            self._answers.to(asked),
            at=now,
            answer=answer,
            key=key,
            request=request,
        )
        try:
            taken = await asked
        except Unavailable as error:
            self.trouble = error.detail
            raise
        self.trouble = None
        return cast("Accepted", taken)

    def _checked(self, raw: bytes, snapshot: Snapshot) -> tuple[AcceptedForm, Snapshot]:
        try:
            return check(raw, snapshot), snapshot
        except (Invalid, PriceChanged):
            newer = self._newer(snapshot)
            if newer is None:
                raise
        self.snapshot = newer
        return check(raw, newer), newer

    async def _find(self, key: str, request: str) -> Accepted | None:
        asked: asyncio.Future[Accepted | None] = asyncio.get_running_loop().create_future()
        self.spool.find(key, request, self._answers.to(asked), at=self._clock.now())
        return await asked


class _Answers:
    """Carries answers from the spool's thread to the event loop; those of one commit wake it once."""

    def __init__(self) -> None:
        self._given: deque[tuple[asyncio.Future[Accepted | None], Accepted | Exception | None]] = deque()
        self._woken = False

    def to(self, asked: asyncio.Future[Accepted | None]) -> Callable[[Accepted | Exception | None], None]:
        """A function, for any thread, that gives the answer to who awaits `asked`."""
        loop = asked.get_loop()

        def give(answer: Accepted | Exception | None) -> None:
            self._given.append((asked, answer))
            if not self._woken:
                self._woken = True
                loop.call_soon_threadsafe(self._hand_out)

        return give

    def _hand_out(self) -> None:
        self._woken = False  # before looking: what is given from now on wakes the loop again
        while self._given:
            asked, answer = self._given.popleft()
            if asked.cancelled():
                continue
            if isinstance(answer, Exception):
                asked.set_exception(answer)
            else:
                asked.set_result(answer)


def who(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str | None, str]:
    """The Idempotency-Key, and whose it is: no account is looked up, so each token has keys of its own."""
    key, caller = None, "anyone"
    for name, value in headers:
        if name == _IDEMPOTENCY_KEY:
            key = value.decode("latin-1")
        elif name == b"authorization":
            caller = hashlib.sha256(value).hexdigest()
    return key, caller


def headers_of(accepted: Accepted) -> list[tuple[bytes, bytes]]:
    """What the answer to an order that was taken says in its head: where the order is, and whether it was taken before."""
    location = f"{PATH}/{_read_receipt(accepted.answer).id}".encode()
    return [(b"location", location), *([(REPLAYED.lower().encode(), b"true")] if accepted.replayed else [])]

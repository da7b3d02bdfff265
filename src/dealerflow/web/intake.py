"""`POST /api/v1/orders` as a bare ASGI route: an order is taken when it is on disk, whatever the main database does."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec
from litestar import Response
from litestar.params import RawBody
from litestar.types import Receive, Scope, Send

from dealerflow.application.calls import call_of
from dealerflow.application.intake import Accepted, Receipt, Spool, new_order, receipt
from dealerflow.application.links import Links
from dealerflow.application.ports import Clock, Ids
from dealerflow.domain.errors import DealerflowError, TooLarge, Unavailable
from dealerflow.domain.intake import MAX_ORDER_BYTES, OrderForm, Snapshot, check
from dealerflow.domain.messages import PlaceOrder
from dealerflow.web.body import JSON, respond
from dealerflow.web.idempotency import HEADER, REPLAYED, checked_key
from dealerflow.web.problems import problem_of, unexpected_problem
from dealerflow.web.problems import respond as send_problem
from dealerflow.web.routes import ANYONE, post
from dealerflow.web.system import HttpRequest, system_of

PATH = "/api/v1/orders"
MOST_SWALLOWED = (
    1024 * 1024
)  # bytes of a body that is too large: an answer before its end resets the connection

_IDEMPOTENCY_KEY = HEADER.lower().encode()
_encode = msgspec.json.Encoder().encode
_read_receipt = msgspec.json.Decoder(Receipt).decode


class Gone(Exception):
    """The client hung up before its order was whole."""


class Intake:
    """Takes orders against the snapshot in memory. Its methods belong to one event loop; `snapshot` may be set by any thread."""

    def __init__(self, *, spool: Spool, links: Links, clock: Clock, ids: Ids) -> None:
        self.spool = spool
        self.snapshot: Snapshot | None = None
        self.trouble: str | None = None  # why nothing can be written now
        self._links = links
        self._clock = clock
        self._ids = ids
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
        accepted = check(raw, snapshot)
        now = self._clock.now()
        order_id = self._ids.new("ord")
        new = new_order(accepted, catalogue_version=snapshot.catalogue.version, order_id=order_id, at=now)
        answer = _encode(receipt(new, self._links.tracking_url(order_id)))
        asked: asyncio.Future[Accepted | None] = asyncio.get_running_loop().create_future()
        self.spool.append(
            PlaceOrder(new=new), self._answers.to(asked), at=now, answer=answer, key=key, request=request
        )
        try:
            taken = await asked
        except Unavailable as error:
            self.trouble = error.detail
            raise
        self.trouble = None
        return cast("Accepted", taken)

    async def _find(self, key: str, request: str) -> Accepted | None:
        asked: asyncio.Future[Accepted | None] = asyncio.get_running_loop().create_future()
        self.spool.find(key, request, self._answers.to(asked))
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


@post("/orders", form=OrderForm, answers={202: Receipt}, errors=(409,), access=ANYONE)
async def take_order(request: HttpRequest, body: RawBody) -> Response[bytes]:
    """Take an order: it is checked and priced, and is on disk before the answer.

    The price of the answer is final. If `expected_price` differs the answer is 409 with the price now.
    """
    key, caller = _who(request.scope)
    accepted = await system_of(request).intake.take(body, key=key, caller=caller)
    headers = {name.decode(): value.decode() for name, value in _headers(accepted)}
    return respond(accepted.answer, status=202, headers=headers)


ROUTES = (take_order,)
"""Within the framework, for whatever does not come by the short way (and for the OpenAPI document)."""


class IntakeRoute:
    """The short way: the same as bare ASGI."""

    def __init__(self, intake: Intake, ids: Ids, taken: Callable[[], None] = lambda: None) -> None:
        """`taken` is called for each order that was taken for the first time."""
        self._intake = intake
        self._ids = ids
        self._taken = taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key, caller = _who(scope)
        try:
            raw = await _body(receive)
            accepted = await self._intake.take(raw, key=key, caller=caller)
        except DealerflowError as error:
            await send_problem(send, problem_of(error, PATH))
            return
        except Gone:
            return
        except Exception as error:  # noqa: BLE001 - nothing stands around this route that would answer for it
            await send_problem(send, unexpected_problem(error, f"POST {PATH}", PATH, self._ids))
            return
        if not accepted.replayed:
            self._taken()
        await _answer(send, accepted)


def _who(scope: Scope) -> tuple[str | None, str]:
    """The Idempotency-Key, and whose it is: no account is looked up, so each token has keys of its own."""
    key, caller = None, "anyone"
    for name, value in scope["headers"]:
        if name == _IDEMPOTENCY_KEY:
            key = value.decode("latin-1")
        elif name == b"authorization":
            caller = hashlib.sha256(value).hexdigest()
    return key, caller


async def _body(receive: Receive) -> bytes:
    first, more = await _part(receive)
    if not more and len(first) <= MAX_ORDER_BYTES:
        return first
    parts, size = [first], len(first)
    while more and size <= MOST_SWALLOWED:
        part, more = await _part(receive)
        size += len(part)
        if size <= MAX_ORDER_BYTES:
            parts.append(part)
    if size > MAX_ORDER_BYTES:
        raise TooLarge(f"An order has at most {MAX_ORDER_BYTES} bytes.")
    return b"".join(parts)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """The next part of the body, and whether there is more. Raises Gone."""
    message = await receive()
    if message["type"] != "http.request":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)


def _headers(accepted: Accepted) -> list[tuple[bytes, bytes]]:
    location = f"{PATH}/{_read_receipt(accepted.answer).id}".encode()
    return [(b"location", location), *([(REPLAYED.lower().encode(), b"true")] if accepted.replayed else [])]


async def _answer(send: Send, accepted: Accepted) -> None:
    length = str(len(accepted.answer)).encode()
    headers = [(b"content-type", JSON.encode()), (b"content-length", length), *_headers(accepted)]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": accepted.answer, "more_body": False})

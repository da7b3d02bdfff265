"""`POST /api/v1/orders` as a bare ASGI route: an order is taken when it is on disk, whatever the main database does."""

from __future__ import annotations

from collections.abc import Callable

from litestar import Response
from litestar.params import RawBody
from litestar.types import Receive, Scope, Send

from dealerflow.application.intake import Accepted, Receipt
from dealerflow.application.ports import Ids
from dealerflow.domain.errors import DealerflowError, TooLarge
from dealerflow.domain.intake import MAX_ORDER_BYTES, OrderForm
from dealerflow.web.body import JSON, respond
from dealerflow.web.problems import problem_of, unexpected_problem
from dealerflow.web.problems import respond as send_problem
from dealerflow.web.routes import ANYONE, post
from dealerflow.web.system import HttpRequest, system_of
from dealerflow.web.taking import PATH, Intake, headers_of, who

MOST_SWALLOWED = (
    1024 * 1024
)  # bytes of a body that is too large: an answer before its end resets the connection


class Gone(Exception):
    """The client hung up before its order was whole."""


@post("/orders", form=OrderForm, answers={202: Receipt}, errors=(409,), access=ANYONE)
async def take_order(request: HttpRequest, body: RawBody) -> Response[bytes]:
    """Take an order: it is checked and priced, and is on disk before the answer.

    The price of the answer is final. If `expected_price` differs the answer is 409 with the price now.
    """
    key, caller = who(request.scope["headers"])
    accepted = await system_of(request).intake.take(body, key=key, caller=caller)
    headers = {name.decode(): value.decode() for name, value in headers_of(accepted)}
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
        key, caller = who(scope["headers"])
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


async def _answer(send: Send, accepted: Accepted) -> None:
    length = str(len(accepted.answer)).encode()
    headers = [(b"content-type", JSON.encode()), (b"content-length", length), *headers_of(accepted)]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": accepted.answer, "more_body": False})

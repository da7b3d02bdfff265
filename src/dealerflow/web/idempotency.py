"""Runs what a POST asks for in one transaction, once for each `Idempotency-Key`."""

from __future__ import annotations

from collections.abc import Callable

from litestar import Response

from dealerflow.application import calls
from dealerflow.application.calls import HEADER, REPLAYED, Answer, Call, checked_key
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.people import Caller
from dealerflow.web.body import respond
from dealerflow.web.system import HttpRequest, WebSystem, system_of


def idempotent(
    request: HttpRequest, body: bytes, caller: Caller, run: Callable[[UnitOfWork], Answer]
) -> Response[bytes]:
    """Answer with what `run` gives; its work, and the kept answer, are one write transaction. Then wake the workers.

    With an `Idempotency-Key` that was answered before, that answer is given again and `run` is not called.
    """
    system = system_of(request)
    call = _call(request, body, caller)
    with system.database.begin() as work:
        if call is None:
            given, replayed = run(work), False
        else:
            given, replayed = calls.once(work.calls, call, lambda: run(work), now=system.clock.now())
    system.ring()
    return _response(given, replayed)


def idempotent_outside(
    request: HttpRequest, body: bytes, caller: Caller, run: Callable[[], Answer]
) -> Response[bytes]:
    """The same for what has transactions of its own (the message store), and does no harm when a crash makes it run twice."""
    system = system_of(request)
    call = _call(request, body, caller)
    if call is None:
        return _response(run(), replayed=False)
    if (earlier := _answered(system, call)) is not None:
        return _response(calls.repeated(earlier, call.request), replayed=True)
    given = run()
    with system.database.begin() as work:
        calls.once(work.calls, call, lambda: given, now=system.clock.now())
    return _response(given, replayed=False)


def _call(request: HttpRequest, body: bytes, caller: Caller) -> Call | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    who = f"customer {caller.customer_of}" if caller.account is None and caller.customer_of else caller.name
    return calls.call_of(who, request.method, request.url.path, checked_key(key), body)


def _answered(system: WebSystem, call: Call) -> calls.Kept | None:
    with system.database.read() as work:
        return work.calls.answered(call.key, since=system.clock.now() - calls.KEPT_MS)


def _response(given: Answer, replayed: bool) -> Response[bytes]:
    headers = {**given.headers, REPLAYED: "true"} if replayed else given.headers
    return respond(given.body, status=given.status, headers=headers)

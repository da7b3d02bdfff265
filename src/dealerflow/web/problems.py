"""Every error as an RFC 9457 problem. One table says which error has which status. Needs no framework."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec

from dealerflow.application.calls import KeyReused
from dealerflow.application.ports import Ids
from dealerflow.domain import errors
from dealerflow.domain.errors import Conflict, DealerflowError, Invalid, TooManyTries, Unavailable
from dealerflow.domain.intake import PriceChanged

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_OUTAGE_S = 5

STATUS: dict[type[DealerflowError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.Invalid: 422,
    errors.TooManyTries: 429,
    errors.Unavailable: 503,
    errors.Outage: 503,
    errors.LeaseLost: 409,
}

# Those that are told apart by more than their status.
FINER: tuple[type[DealerflowError], ...] = (PriceChanged, KeyReused)

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `errors` names every fault of an input; a conflict may have further members of its own."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: tuple[errors.Fault, ...] = ()


class ProblemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A problem, ready to be sent."""

    status: int
    body: bytes
    headers: dict[str, str] = {}


def status_of(error: DealerflowError) -> int:
    """The HTTP status of this error's nearest class in the table."""
    return _status(type(error))


def known_problems() -> list[tuple[str, int, str]]:
    """(name, status, what it means) of every problem that has a name."""
    return [(name_of(kind), _status(kind), (kind.__doc__ or "").strip()) for kind in (*STATUS, *FINER)]


def _status(kind: type[DealerflowError]) -> int:
    return next((STATUS[parent] for parent in kind.__mro__ if parent in STATUS), 400)


def problem_of(error: DealerflowError, instance: str) -> ProblemAnswer:
    """The problem that says what the core refused. `instance` is the path that was asked for."""
    status = status_of(error)
    faults = error.faults if isinstance(error, Invalid) else ()
    facts = error.facts if isinstance(error, Conflict) else {}
    detail = "The input is wrong; each fault is named in errors." if faults else error.detail
    return _problem(
        status,
        name_of(type(error)),
        detail,
        instance,
        faults=faults,
        facts=facts,
        headers=_headers(error, status),
    )


def plain_problem(
    status: int, detail: str, instance: str, headers: dict[str, str] | None = None
) -> ProblemAnswer:
    """A problem of HTTP itself, which needs no name of ours."""
    return _problem(status, None, detail, instance, headers=headers)


def unexpected_problem(error: Exception, route: str, instance: str, ids: Ids) -> ProblemAnswer:
    """A fault of ours. The id ties what the caller sees to the log; nothing of the inside is told."""
    failure = ids.new("err")
    _log.error("%s failed: %s", route, failure, exc_info=error)
    return plain_problem(500, f"Something went wrong here; it was logged as {failure}.", instance)


async def respond(send: Any, answer: ProblemAnswer) -> None:
    """Send a problem without the framework."""
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", str(len(answer.body)).encode())]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _problem(
    status: int,
    name: str | None,
    detail: str,
    instance: str,
    *,
    faults: tuple[errors.Fault, ...] = (),
    facts: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> ProblemAnswer:
    problem = Problem(
        type=type_of(name) if name else "about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
        errors=faults,
    )
    members = {**(facts or {}), **msgspec.to_builtins(problem)}
    return ProblemAnswer(status=status, body=_encode(members), headers=headers or {})


def type_of(name: str) -> str:
    """The `type` of the problem with this name: where the page of the API says what it means."""
    return f"/docs#{name}"


def name_of(kind: type[DealerflowError]) -> str:
    """The class's name as words with hyphens, "price-changed"."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("-")


def _headers(error: DealerflowError, status: int) -> dict[str, str]:
    if isinstance(error, Unavailable | TooManyTries):
        return {"Retry-After": str(error.retry_after_s)}
    if status == 503:
        return {"Retry-After": str(RETRY_AFTER_OUTAGE_S)}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}

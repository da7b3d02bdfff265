"""The queues as an operator sees and steers them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response
from litestar.params import FromPath, RawBody
from msgspec import Meta
from msgspec.structs import replace

from dealerflow.application.access import require
from dealerflow.application.calls import Answer, answer
from dealerflow.application.ports import DeadLetter, QueueFigures
from dealerflow.application.queues import ORDERS
from dealerflow.application.views import moment
from dealerflow.domain.errors import NotFound
from dealerflow.domain.people import Caller
from dealerflow.web.auth import caller_of
from dealerflow.web.body import read_form, respond
from dealerflow.web.idempotency import idempotent_outside
from dealerflow.web.paging import MOST, cursor_of, paging
from dealerflow.web.routes import PAGING, get, post
from dealerflow.web.system import HttpRequest, WebSystem, system_of

MessageId = Annotated[str, Meta(min_length=1, max_length=100)]
Ids = Annotated[tuple[MessageId, ...], Meta(min_length=1, max_length=1000)]


class RedriveForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters are offered again: these, or "all"."""

    ids: Ids | Literal["all"]


class DiscardForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters are deleted for good, and why; both stay on record."""

    ids: Ids
    reason: Annotated[str, Meta(pattern=r"\S", max_length=500, extra={"say": "must not be blank"})]


class QueueList(msgspec.Struct, frozen=True, kw_only=True):
    """The queues by name, also the empty ones."""

    items: tuple[QueueFigures, ...]
    next: str | None = None


class DeadLetterItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message that failed too often: `error` is its last failure. `message` as it is stored, its `type` among it."""

    id: str
    queue: str
    type: str
    order: str | None
    attempts: int
    error: str
    sent_at: str
    died_at: str
    message: dict[str, Any]


class DeadLetterList(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters by id."""

    items: tuple[DeadLetterItem, ...]
    next: str | None = None


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages were offered again. Ids that are no dead letters of this queue are skipped."""

    redriven: int


class Discarded(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages were deleted. Ids that are no dead letters of this queue are skipped."""

    discarded: int


@get("/queues", answers={200: QueueList}, query=PAGING)
def queues(request: HttpRequest) -> Response[bytes]:
    """Every queue and how it stands. `waiting` may be claimed now, also while paused; `delayed` is for later."""
    _operator(request)
    page = paging(request, default=MOST)  # every queue, where no part of them is asked for
    after = page.cursor[0] if page.cursor else ""
    behind = [one for one in queue_figures(system_of(request)) if one.name > after]
    more = cursor_of(behind[page.limit - 1].name) if len(behind) > page.limit else None
    return respond(QueueList(items=tuple(behind[: page.limit]), next=more))


@post("/queues/{name:str}/pause", answers={200: QueueFigures})
def pause(request: HttpRequest, name: FromPath[str], body: RawBody) -> Response[bytes]:
    """Claim nothing new of this queue until it is resumed; messages go on arriving."""
    return _steer(request, name, body, lambda system: system.store.pause(name))


@post("/queues/{name:str}/resume", answers={200: QueueFigures})
def resume(request: HttpRequest, name: FromPath[str], body: RawBody) -> Response[bytes]:
    """Work this queue again."""
    return _steer(request, name, body, lambda system: system.store.resume(name))


@get("/queues/{name:str}/dead-letters", answers={200: DeadLetterList}, query=PAGING)
def dead_letters(request: HttpRequest, name: FromPath[str]) -> Response[bytes]:
    """The messages of this queue that failed too often, with why."""
    _operator(request)
    page = paging(request)
    system = system_of(request)
    _known(system, name)
    after = page.cursor[0] if page.cursor else None
    found = system.store.dead_letters(name, limit=page.limit + 1, after=after)
    more = cursor_of(found[page.limit - 1].id) if len(found) > page.limit else None
    return respond(DeadLetterList(items=tuple(map(_item, found[: page.limit])), next=more))


@post("/queues/{name:str}/redrive", form=RedriveForm, answers={200: Redriven})
def redrive(request: HttpRequest, name: FromPath[str], body: RawBody) -> Response[bytes]:
    """Offer dead letters again, with their attempts forgotten."""
    caller = _operator(request)
    system = system_of(request)
    _known(system, name)
    form = read_form(RedriveForm, body)

    def run() -> Answer:
        ids = None if isinstance(form.ids, str) else form.ids
        count = system.store.redrive(name, ids, now=system.clock.now())
        system.ring()
        return answer(200, Redriven(redriven=count))

    return idempotent_outside(request, body, caller, run)


@post("/queues/{name:str}/discard", form=DiscardForm, answers={200: Discarded})
def discard(request: HttpRequest, name: FromPath[str], body: RawBody) -> Response[bytes]:
    """Delete dead letters for good; who did it, and why, stays on record."""
    caller = _operator(request)
    system = system_of(request)
    _known(system, name)
    form = read_form(DiscardForm, body)

    def run() -> Answer:
        count = system.store.discard(
            name, form.ids, now=system.clock.now(), by=caller.name, reason=form.reason
        )
        return answer(200, Discarded(discarded=count))

    return idempotent_outside(request, body, caller, run)


def queue_figures(system: WebSystem) -> list[QueueFigures]:
    """Every queue; `orders` counts what waits in intake's spool too."""
    now = system.clock.now()
    # The spool first: an order that is moved on in between is counted twice for a moment, never left out.
    behind = system.upkeep.backlog(now=now)
    figures = {one.name: one for one in system.store.figures(now=now)}
    orders = figures.get(ORDERS, QueueFigures(name=ORDERS))
    figures[ORDERS] = replace(
        orders,
        waiting=orders.waiting + behind.waiting,
        oldest_age_s=max(orders.oldest_age_s, behind.oldest_age_s),
    )
    return [figures[name] for name in sorted(figures)]


def _steer(request: HttpRequest, name: str, body: bytes, act: Any) -> Response[bytes]:
    caller = _operator(request)
    system = system_of(request)
    _known(system, name)

    def run() -> Answer:
        act(system)
        system.ring()
        return answer(200, next(one for one in queue_figures(system) if one.name == name))

    return idempotent_outside(request, body, caller, run)


def _operator(request: HttpRequest) -> Caller:
    caller = caller_of(request)
    require(caller, "operator")
    return caller


def _known(system: WebSystem, name: str) -> None:
    names: Sequence[str] = system.store.queues()
    if name != ORDERS and name not in names:
        raise NotFound(f"there is no queue {name}; there are: {', '.join(sorted({*names, ORDERS}))}")


def _item(letter: DeadLetter) -> DeadLetterItem:
    message = msgspec.to_builtins(letter.envelope.message)
    return DeadLetterItem(
        id=letter.id,
        queue=letter.queue,
        type=message["type"],
        order=letter.envelope.order,
        attempts=letter.attempts,
        error=letter.error,
        sent_at=moment(letter.sent_at),
        died_at=moment(letter.died_at),
        message=message,
    )


ROUTES = (queues, pause, resume, dead_letters, redrive, discard)

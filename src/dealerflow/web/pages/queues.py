"""The operator's console: how the queues stand, what failed in them, and the levers."""

from __future__ import annotations

from typing import Any

import msgspec

from dealerflow.application.ports import DeadLetter, QueueFigures
from dealerflow.domain.errors import NotFound
from dealerflow.web.api.queues import queue_figures
from dealerflow.web.pages.cards import span
from dealerflow.web.pages.fields import Errors
from dealerflow.web.pages.frame import HtmlResponse, Visit, get, post
from dealerflow.web.paging import cursor_of, paging

LETTERS_OF_A_PAGE = 25
LONGEST_REASON = 500
MOST_SHOWN = 4_000  # characters of a message or an error


class QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One queue. `oldest`: how long its oldest message has waited, in words; "" when none waits."""

    figures: QueueFigures
    oldest: str


class QueuesView(msgspec.Struct, frozen=True, kw_only=True):
    """All queues, and how many dead letters there are in all."""

    queues: tuple[QueueRow, ...]
    dead: int
    paused: int


class LetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: what it asked for (`message`, as JSON) and why that failed."""

    id: str
    type: str
    order: str | None
    attempts: int
    sent_at: int
    died_at: int
    error: str
    message: str


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """One queue with its dead letters. `errors` and `reason` are of a discard that was refused; `chosen` its letters."""

    queue: QueueRow
    letters: tuple[LetterView, ...]
    next_url: str | None
    errors: Errors
    reason: str = ""
    chosen: frozenset[str] = frozenset()


@get("/queues")
def queues(visit: Visit) -> HtmlResponse:
    """Every queue."""
    visit.require("operator")
    rows = tuple(_row(visit, figures) for figures in queue_figures(visit.system))
    view = QueuesView(
        queues=rows,
        dead=sum(row.figures.dead for row in rows),
        paused=sum(1 for row in rows if row.figures.paused),
    )
    return visit.show("queues.html", view, place="queues")


@get("/queues/{name:str}")
def queue(visit: Visit, name: str) -> HtmlResponse:
    """One queue and its dead letters."""
    visit.require("operator")
    return _show(visit, name)


@post("/queues/{name:str}/pause")
def pause(visit: Visit, name: str) -> HtmlResponse:
    """Claim nothing new until it is resumed."""
    visit.require("operator")
    _figures(visit, name)
    visit.system.store.pause(name)
    return visit.go(_back(visit, name), say="queue_paused", queue=name)


@post("/queues/{name:str}/resume")
def resume(visit: Visit, name: str) -> HtmlResponse:
    """Work it again."""
    visit.require("operator")
    _figures(visit, name)
    visit.system.store.resume(name)
    visit.system.ring()
    return visit.go(_back(visit, name), say="queue_resumed", queue=name)


@post("/queues/{name:str}/redrive")
def redrive(visit: Visit, name: str) -> HtmlResponse:
    """Offer dead letters again: those that were chosen, or all."""
    visit.require("operator")
    _figures(visit, name)
    chosen = None if "all" in visit.fields else visit.fields.all("ids")
    if chosen == ():
        return _show(visit, name, status=422, errors={"": [visit.texts("queue.choose")]})
    count = visit.system.store.redrive(name, chosen, now=visit.system.clock.now())
    visit.system.ring()
    return visit.go(f"/queues/{name}", say="queue_redriven", number=count)


@post("/queues/{name:str}/discard")
def discard(visit: Visit, name: str) -> HtmlResponse:
    """Delete dead letters for good; who did it, and why, stays on record."""
    account = visit.require("operator")
    _figures(visit, name)
    t, ids, reason = visit.texts, visit.fields.all("ids"), visit.fields.text("reason")
    errors: Errors = {}
    if not ids:
        errors[""] = [t("queue.choose")]
    if not reason or len(reason) > LONGEST_REASON:
        errors["reason"] = [t("queue.say_why", number=LONGEST_REASON)]
    elif visit.fields.has_signs("reason"):
        errors["reason"] = [t("core.signs")]
    if errors:
        return _show(visit, name, status=422, errors=errors)
    count = visit.system.store.discard(name, ids, now=visit.system.clock.now(), by=account.id, reason=reason)
    return visit.go(f"/queues/{name}", say="queue_discarded", number=count)


def _show(visit: Visit, name: str, *, status: int = 200, errors: Errors | None = None) -> HtmlResponse:
    page = paging(visit.request, order="dead")
    after = page.cursor[0] if page.cursor else None
    found = visit.system.store.dead_letters(name, limit=LETTERS_OF_A_PAGE + 1, after=after)
    shown = found[:LETTERS_OF_A_PAGE]
    more = (
        f"/queues/{name}?cursor={cursor_of(shown[-1].id, order='dead')}" if len(found) > len(shown) else None
    )
    view = QueueView(
        queue=_row(visit, _figures(visit, name)),
        letters=tuple(_letter(one) for one in shown),
        next_url=more,
        errors=errors or {},
        reason=visit.fields.text("reason"),
        chosen=frozenset(visit.fields.all("ids")),
    )
    return visit.show("queue.html", view, status=status, place="queues")


def _figures(visit: Visit, name: str) -> QueueFigures:
    """Raises NotFound."""
    known = next((figures for figures in queue_figures(visit.system) if figures.name == name), None)
    if known is None:
        raise NotFound(f"there is no queue {name}")
    return known


def _row(visit: Visit, figures: QueueFigures) -> QueueRow:
    waits = figures.waiting > 0
    return QueueRow(figures=figures, oldest=span(figures.oldest_age_s, visit.language) if waits else "")


def _letter(letter: DeadLetter) -> LetterView:
    message: dict[str, Any] = msgspec.to_builtins(letter.envelope.message)
    text = msgspec.json.format(msgspec.json.encode(message), indent=2).decode()
    return LetterView(
        id=letter.id,
        type=message["type"],
        order=letter.envelope.order,
        attempts=letter.attempts,
        sent_at=letter.sent_at,
        died_at=letter.died_at,
        error=letter.error[:MOST_SHOWN],
        message=text[:MOST_SHOWN],
    )


def _back(visit: Visit, name: str) -> str:
    return f"/queues/{name}" if visit.fields.text("back") == "queue" else "/queues"


ROUTES = (queues, queue, pause, resume, redrive, discard)

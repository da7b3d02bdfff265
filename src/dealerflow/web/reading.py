"""What routes that read have in common: who reads in which language, and pages of lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Response
from litestar.datastructures.headers import Accept

from dealerflow.application.queries import Page, PageRequest, Reader
from dealerflow.domain.errors import Unauthenticated
from dealerflow.domain.languages import LANGUAGES
from dealerflow.domain.people import Caller
from dealerflow.web.auth import caller_of
from dealerflow.web.body import respond
from dealerflow.web.paging import cursor_of, paging
from dealerflow.web.system import HttpRequest

T = TypeVar("T")


class ListOf(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Part of a list; with `next` as `cursor` the next part is given. None: that was all."""

    items: tuple[T, ...]
    next: str | None


def page_request(request: HttpRequest, *, order: str = "", kinds: tuple[type, ...] = (str,)) -> PageRequest:
    """Which part of a list is asked for. Raises Malformed."""
    page = paging(request, order=order, kinds=kinds)
    return PageRequest(limit=page.limit, after=page.cursor)


def respond_page(page: Page[Any], *, order: str = "") -> Response[bytes]:
    """The list as JSON."""
    following = None if page.next is None else cursor_of(*page.next, order=order)
    return respond(ListOf(items=page.items, next=following))


def respond_slice(
    items: tuple[T, ...], asked: PageRequest, key: Callable[[T], tuple[int | str, ...]]
) -> Response[bytes]:
    """A page of a list that is held in memory, sorted by `key`."""
    after = asked.after
    behind = [item for item in items if after is None or key(item) > after]
    shown = tuple(behind[: asked.limit])
    more = key(shown[-1]) if len(behind) > asked.limit else None
    return respond_page(Page(items=shown, next=more))


def known_caller(request: HttpRequest, order_id: str) -> Caller:
    """Who asks about this order. Raises Unauthenticated without credentials, NotFound for a wrong key."""
    caller = caller_of(request, order_id)
    if caller.account is None and caller.customer_of is None:
        raise Unauthenticated
    return caller


def reader_of(request: HttpRequest, caller: Caller) -> Reader:
    """The caller, with the language that the request asks for."""
    return Reader(caller=caller, language=accepted_language(request))


def accepted_language(request: HttpRequest) -> str | None:
    """Of the languages that Dealerflow speaks, the one that Accept-Language prefers; None if it names none of them."""
    found: list[tuple[float, str]] = []
    for part in request.headers.get("Accept-Language", "").split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES and (weight := _weight(parameters)) > 0:
            found.append((weight, language))
    return max(found, key=lambda one: one[0])[1] if found else None


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, float(value))
    except ValueError:
        return 0.0


PDF_TYPE = "application/pdf"
JSON_TYPE = "application/json"


def wants_pdf(request: HttpRequest) -> bool:
    """Whether Accept prefers PDF to JSON."""
    accept = Accept(request.headers.get("Accept", "*/*"))
    return accept.best_match([JSON_TYPE, PDF_TYPE]) == PDF_TYPE


def respond_pdf(content: bytes, name: str, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A PDF that a browser shows, and saves under this name."""
    disposition = f'inline; filename="{name}.pdf"'
    return respond(
        content, headers={"Content-Disposition": disposition, **(headers or {})}, media_type=PDF_TYPE
    )

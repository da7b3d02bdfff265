"""Invoices, credit notes and delivery notes, as JSON or PDF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Response
from litestar.params import FromPath

from dealerflow.application.access import require
from dealerflow.application.document_views import show_document, show_note
from dealerflow.application.orders import visible
from dealerflow.application.queries import Page
from dealerflow.application.tracking import works_for
from dealerflow.application.views import DeliveryNoteView, DocumentItem, DocumentView
from dealerflow.domain.billing import Document
from dealerflow.domain.errors import Forbidden, NotFound, Unauthenticated
from dealerflow.domain.people import Caller
from dealerflow.web.api.orders import see_order
from dealerflow.web.auth import KEY as KEY_PARAMETER
from dealerflow.web.auth import caller_of
from dealerflow.web.body import respond
from dealerflow.web.paging import text
from dealerflow.web.reading import ListOf, known_caller, page_request, respond_page, respond_pdf, wants_pdf
from dealerflow.web.routes import KEY, PAGING, PDF, Media, Query, get
from dealerflow.web.system import HttpRequest, WebSystem, system_of

NOTE_ROLES = ("dealer", "dealer_admin", "delivery_lead", "admin")
MAY_BE_KEPT = {
    "Cache-Control": "private, no-cache",
    "Vary": "Accept",
}  # they never change, but whoever asks must be asked
JSON_OR_PDF = Media(types={"application/json": DocumentView, "application/pdf": None})
NOTE_JSON_OR_PDF = Media(types={"application/json": DeliveryNoteView, "application/pdf": None})


@get("/orders/{order_id:str}/invoice", answers={200: PDF}, access=KEY)
def invoice(request: HttpRequest, order_id: FromPath[str]) -> Response[bytes]:
    """The order's latest invoice as PDF; 404 while there is none. For the customer, the dealership and administrators."""
    caller, system = known_caller(request, order_id), system_of(request)
    _open_to(system, caller, order_id)
    document = system.queries.documents.latest_invoice(order_id)
    if document is None:
        raise NotFound(f"order {order_id} has no invoice yet")
    return respond_pdf(system.printer.document(document), document.number)


@get("/orders/{order_id:str}/documents", answers={200: ListOf[DocumentItem]}, query=PAGING, access=KEY)
def documents(request: HttpRequest, order_id: FromPath[str]) -> Response[bytes]:
    """The order's invoices and credit notes, oldest first. For the customer, the dealership and administrators."""
    caller, system, page = known_caller(request, order_id), system_of(request), page_request(request)
    try:
        _open_to(system, caller, order_id)
    except NotFound:
        if caller.customer_of != order_id:
            raise
        see_order(system, request, caller, order_id)  # the key is good: the order is on its way in
        return respond_page(Page(items=(), next=None))
    return respond_page(system.queries.documents.of_order(order_id, page))


@get("/documents/{document_id:str}", answers={200: JSON_OR_PDF, 304: None}, access=KEY)
def document(request: HttpRequest, document_id: FromPath[str]) -> Response[bytes]:
    """An invoice or a credit note, as JSON or, where Accept prefers it, as PDF."""
    system = system_of(request)
    found = _visible_document(request, system, document_id)
    return _either(
        request,
        found.id,
        found.number,
        lambda: show_document(found),
        lambda: system.printer.document(found),
    )


def _visible_document(request: HttpRequest, system: WebSystem, document_id: str) -> Document:
    """The document, if it is the caller's to see: a key is that of its order."""
    caller = caller_of(request)
    if caller.account is None and KEY_PARAMETER not in request.query_params:
        raise Unauthenticated
    found = system.queries.documents.one(document_id)
    missing = NotFound(f"there is no document {document_id}")
    if found is None:
        raise missing
    try:
        _open_to(system, caller_of(request, found[0].order_id), found[0].order_id)
    except NotFound:
        raise missing from None
    return found[0]


def _open_to(system: WebSystem, caller: Caller, order_id: str) -> None:
    """Raises NotFound unless the caller sees the order, Forbidden unless its documents are the caller's business."""
    with system.database.read() as work:
        order = visible(work, caller, order_id)
    if not (caller.customer_of == order.id or works_for(caller, order) or caller.has("admin")):
        raise Forbidden("invoices are for the customer, the dealership and administrators")


@get(
    "/delivery-notes",
    answers={200: ListOf[DeliveryNoteView]},
    query=(
        Query(name="load", text="a load's id"),
        Query(name="dealership", text="a dealership's id"),
        *PAGING,
    ),
)
def delivery_notes(request: HttpRequest) -> Response[bytes]:
    """Delivery notes, newest first; a dealership sees its own."""
    caller = caller_of(request)
    require(caller, *NOTE_ROLES)
    scope, dealership = _note_scope(caller), text(request, "dealership")
    if dealership is not None:
        scope = frozenset({dealership}) if scope is None else scope & {dealership}
    notes = system_of(request).queries.loads.notes(text(request, "load"), scope, page_request(request))
    return respond_page(notes)


@get("/delivery-notes/{note_id:str}", answers={200: NOTE_JSON_OR_PDF, 304: None})
def delivery_note(request: HttpRequest, note_id: FromPath[str]) -> Response[bytes]:
    """A delivery note, as JSON or, where Accept prefers it, as PDF."""
    caller, system = caller_of(request), system_of(request)
    require(caller, *NOTE_ROLES)
    note, scope = system.queries.loads.note(note_id), _note_scope(caller)
    if note is None or (scope is not None and note.dealership not in scope):
        raise NotFound(f"there is no delivery note {note_id}")
    return _either(
        request, note.id, note.id, lambda: show_note(note), lambda: system.printer.delivery_note(note)
    )


def _note_scope(caller: Caller) -> frozenset[str] | None:
    """The dealerships whose notes the caller sees; None: all."""
    return None if caller.has("delivery_lead", "admin") or "" in caller.dealerships else caller.dealerships


def _either(
    request: HttpRequest, id_: str, name: str, view: Callable[[], Any], printed: Callable[[], bytes]
) -> Response[bytes]:
    """What never changes, in the form that is wanted; not at all if the client has it."""
    as_pdf = wants_pdf(request)
    headers = {"ETag": f'W/"{id_}{"-pdf" if as_pdf else ""}"', **MAY_BE_KEPT}
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return respond(None, status=304, headers=headers)
    return respond_pdf(printed(), name, headers) if as_pdf else respond(view(), headers=headers)


ROUTES = (invoice, documents, document, delivery_notes, delivery_note)

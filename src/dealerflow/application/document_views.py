"""How documents and delivery notes look as JSON."""

from __future__ import annotations

from dealerflow.application.views import (
    DeliveryNoteView,
    DocumentItem,
    DocumentLineView,
    DocumentView,
    NoteCarView,
    PartyView,
    moment,
)
from dealerflow.domain.billing import Document, Party
from dealerflow.domain.money import Money
from dealerflow.domain.shipping import DeliveryNote

DOCUMENT_URL = "/api/v1/documents/{}"


def document_item(document: Document) -> DocumentItem:
    """The document as it stands in a list."""
    return DocumentItem(
        id=document.id,
        kind=document.kind,
        number=document.number,
        issued_at=moment(document.issued_at),
        order=document.order_id,
        payment=document.payment_id,
        total=Money(document.gross, document.currency),
        url=DOCUMENT_URL.format(document.id),
    )


def show_document(document: Document) -> DocumentView:
    """The whole document."""
    currency = document.currency
    return DocumentView(
        id=document.id,
        kind=document.kind,
        number=document.number,
        issued_at=moment(document.issued_at),
        timezone=document.timezone,
        language=document.language,
        order=document.order_id,
        payment=document.payment_id,
        seller=_party(document.seller),
        buyer=_party(document.buyer),
        lines=tuple(
            DocumentLineView(
                text=line.text, net=Money(line.net, currency), rate=line.rate, tax=Money(line.tax, currency)
            )
            for line in document.lines
        ),
        net=Money(document.net, currency),
        tax=Money(document.tax, currency),
        total=Money(document.gross, currency),
        vin=document.vin,
        refers_to=document.refers_to,
    )


def _party(party: Party) -> PartyView:
    return PartyView(
        name=party.name,
        company=party.company,
        address=party.address,
        tax_id=party.tax_id,
        country=party.country,
    )


def show_note(note: DeliveryNote) -> DeliveryNoteView:
    """The whole delivery note."""
    return DeliveryNoteView(
        id=note.id,
        load=note.load,
        dealership=note.dealership,
        dealership_name=note.dealership_name,
        at=moment(note.at),
        carrier=note.carrier,
        cars=tuple(
            NoteCarView(
                order=car.order, model=car.model, colour=car.colour, vin=car.vin, customer=car.customer
            )
            for car in note.cars
        ),
    )

"""Payment terms, payments and the documents (invoice, credit note) that follow from them."""

from __future__ import annotations

from typing import Literal

import msgspec

Before = Literal["production", "delivery", "handover"]
DocumentKind = Literal["invoice", "credit_note"]


class Term(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`percent` of the price is due before this part of the car's way may begin."""

    before: Before
    percent: int


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """The legal seller or the buyer, as the law wants them on an invoice. `address` may have several lines."""

    name: str
    address: str = ""
    tax_id: str = ""
    country: str = ""
    company: str = ""


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `net` and `tax` in minor units of the document's currency, `rate` in basis points (1900 = 19 %)."""

    text: str
    net: int
    rate: int
    tax: int


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An issued invoice or credit note. It never changes. Amounts in minor units; `issued_at` ms since epoch, shown in `timezone`."""

    id: str
    kind: DocumentKind
    number: str
    issued_at: int
    timezone: str
    language: str
    currency: str
    seller: Party
    buyer: Party
    order_id: str
    payment_id: str
    lines: tuple[DocumentLine, ...]
    net: int
    tax: int
    gross: int
    vin: str | None = None
    refers_to: str | None = None  # a credit note names the invoice that it corrects

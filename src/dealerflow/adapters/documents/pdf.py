"""Invoices, credit notes and delivery notes as PDF.

What an invoice must say follows article 226 of the EU VAT directive (2006/112/EC): date, number, both
parties with their addresses and tax ids, what was delivered, net, rate and tax for each rate, and on a
credit note the invoice that it corrects.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from dealerflow.adapters.documents.formats import country_text, date_text, money_text, rate_text
from dealerflow.adapters.documents.sheet import Column, Sheet
from dealerflow.adapters.documents.words import words_of
from dealerflow.domain.billing import Document, Party
from dealerflow.domain.money import Money
from dealerflow.domain.shipping import DeliveryNote

Fact = tuple[str, str]


class PdfPrinter:
    """A `DocumentPrinter` on A4.

    Latin, Greek and Cyrillic are always printed. For other scripts (Chinese, Japanese, Korean …) name font
    files in `fallback_fonts`; without one their characters are printed as code points, U+674E.
    """

    def __init__(self, fallback_fonts: Sequence[Path] = ()) -> None:
        self._fallback_fonts = tuple(fallback_fonts)
        logging.getLogger("fontTools").setLevel(logging.WARNING)  # else it tells of each table that it cuts

    def document(self, document: Document) -> bytes:
        """See `DocumentPrinter.document`."""
        word = words_of(document.language)
        title = f"{word[document.kind]} {document.number}"
        sheet = Sheet(
            title=title,
            author=document.seller.name,
            language=document.language,
            issued_at=document.issued_at,
            timezone=document.timezone,
            fallback_fonts=self._fallback_fonts,
        )
        sheet.footer_text = f"{document.seller.name} · {document.number}"
        sheet.heading(document.seller.name, word[document.kind])
        sheet.blocks(
            [
                (word["seller"], _party(document.seller, document.language)),
                (word["buyer"], _party(document.buyer, document.language)),
            ]
        )
        sheet.facts(_document_facts(document, word))
        _print_lines(sheet, document, word)
        sheet.totals(_totals(document, word))
        sheet.remark(word["amounts_in"].format(document.currency))
        return sheet.pdf()

    def delivery_note(self, note: DeliveryNote) -> bytes:
        """See `DocumentPrinter.delivery_note`."""
        word = words_of(note.language)
        sheet = Sheet(
            title=f"{word['delivery_note']} {note.id}",
            author=note.dealership_name,
            language=note.language,
            issued_at=note.at,
            timezone=note.timezone,
            fallback_fonts=self._fallback_fonts,
        )
        sheet.footer_text = f"{word['delivery_note']} {note.id}"
        sheet.heading(note.dealership_name, word["delivery_note"])
        sheet.ln(3)
        sheet.facts(
            [
                (word["document_number"], note.id),
                (word["load"], note.load),
                (word["departed"], date_text(note.at, note.timezone, note.language)),
                (word["carrier"], note.carrier or ""),
                (word["cars"], str(len(note.cars))),
            ]
        )
        _print_cars(sheet, note, word)
        sheet.signature_line(word["received"], word["received_by"])
        return sheet.pdf()


def _party(party: Party, language: str) -> list[str]:
    names = [party.company, party.name] if party.company else [party.name]
    country = country_text(party.country, language) if party.country else ""
    tax_id = f"{words_of(language)['tax_id']}: {party.tax_id}" if party.tax_id else ""
    return [*names, party.address, country, tax_id]


def _document_facts(document: Document, word: Mapping[str, str]) -> list[Fact]:
    credit = document.kind == "credit_note"
    return [
        (word["document_number"], document.number),
        (word["issued"], date_text(document.issued_at, document.timezone, document.language)),
        (word["refers_to"], document.refers_to or ""),
        (word["order_id"], document.order_id),
        (word["vin"], document.vin or ""),
        (word["refunded_payment" if credit else "payment"], document.payment_id),
    ]


def _print_lines(sheet: Sheet, document: Document, word: Mapping[str, str]) -> None:
    columns = [
        Column(word["description"], 44),
        Column(word["net"], 17, "RIGHT"),
        Column(word["rate"], 10, "RIGHT"),
        Column(word["tax"], 14, "RIGHT"),
        Column(word["gross"], 17, "RIGHT"),
    ]

    def amount(minor: int) -> str:
        return _amount(document, minor)

    rows = [
        (
            line.text,
            amount(line.net),
            rate_text(line.rate, document.language),
            amount(line.tax),
            amount(line.net + line.tax),
        )
        for line in document.lines
    ]
    sheet.listing(columns, rows)


def _totals(document: Document, word: Mapping[str, str]) -> list[Fact]:
    by_rate: dict[int, tuple[int, int]] = {}
    for line in document.lines:
        net, tax = by_rate.get(line.rate, (0, 0))
        by_rate[line.rate] = (net + line.net, tax + line.tax)
    return [
        (word["total_net"], _amount(document, document.net)),
        *(
            (
                word["tax_at"].format(rate_text(rate, document.language), _amount(document, net)),
                _amount(document, tax),
            )
            for rate, (net, tax) in sorted(by_rate.items())
        ),
        (word["total"], _amount(document, document.gross)),
    ]


def _amount(document: Document, minor: int) -> str:
    return money_text(Money(minor, document.currency), document.language)


def _print_cars(sheet: Sheet, note: DeliveryNote, word: Mapping[str, str]) -> None:
    columns = [
        Column("", 7, "RIGHT"),
        Column(word["model"], 27),
        Column(word["colour"], 23),
        Column(word["vin"], 31),
        Column(word["customer_name"], 32),
        Column(word["order_id"], 49),
    ]
    rows = [
        (str(number), car.model, car.colour, car.vin, car.customer, car.order)
        for number, car in enumerate(note.cars, start=1)
    ]
    sheet.listing(columns, rows, size=7.5)

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import msgspec
import pytest
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped] # ships no types
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped] # ships no types
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from dealerflow.adapters.documents.pdf import PdfPrinter
from dealerflow.adapters.documents.sheet import clip, printable
from dealerflow.domain.billing import Document, DocumentLine, Party
from dealerflow.domain.shipping import DeliveryNote, NoteCar

PRINTER = PdfPrinter()
NEW_YEAR_IN_BERLIN = 1_767_223_800_000  # 31 December 2025, 23:30 UTC: already 2026 in Berlin


def line(text: str, net: int, rate: int) -> DocumentLine:
    return DocumentLine(text=text, net=net, rate=rate, tax=net * rate // 10_000)


def invoice(*lines: DocumentLine, language: str = "en", **changes: object) -> Document:
    lines = lines or (
        line("Meridian Touring", 3_000_000, 1900),
        line("Tow bar", 75_000, 1900),
        line("Plates", 5_000, 0),
    )
    net, tax = sum(row.net for row in lines), sum(row.tax for row in lines)
    document = Document(
        id="doc_01kd3x7z9qw8ert5yui2op4asd",
        kind="invoice",
        number="NORTHSIDE-2026-000001",
        issued_at=NEW_YEAR_IN_BERLIN,
        timezone="Europe/Berlin",
        language=language,
        currency="EUR",
        seller=Party(
            name="Northside Automobile GmbH & Co. KG",
            address="Hafenstraße 12\n20457 Hamburg",
            tax_id="DE123456789",
            country="DE",
        ),
        buyer=Party(
            name="Zoë Łukasiewicz-Ñandú",
            company="Ångström & Søn ApS",
            address="Strøget 1, 3. tv.\n1000 København",
            tax_id="DK12345678",
            country="DK",
        ),
        order_id="ord_01kd3x7z9qw8ert5yui2op4asd",
        payment_id="pay_01kd3x7z9qw8ert5yui2op4asd",
        lines=lines,
        net=net,
        tax=tax,
        gross=net + tax,
        vin="WDF1ABC23T0000012",
    )
    return msgspec.structs.replace(document, **changes)


def delivery_note(
    count: int, language: str = "en", customer: str = "Ana María Fernández de la Vega"
) -> DeliveryNote:
    cars = tuple(
        NoteCar(
            order=f"ord_01kd3x7z9qw8ert5yui2op4{number:03}",
            model="Meridian Touring",
            colour="Deep blue",
            vin=f"WDF1ABC23T0000{number:03}",
            customer=f"{customer} {number}",
        )
        for number in range(count)
    )
    return DeliveryNote(
        id="dnt_01kd3x7z9qw8ert5yui2op4asd",
        load="lod_01kd3x7z9qw8ert5yui2op4asd",
        dealership="northside",
        dealership_name="Northside",
        at=NEW_YEAR_IN_BERLIN,
        timezone="Europe/Berlin",
        language=language,
        carrier="Spedition Müller",
        cars=cars,
    )


def pages_of(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def text_of(pdf: bytes) -> str:
    """All that can be read in the PDF, with single spaces."""
    return " ".join(" ".join(pages_of(pdf)).split())


def test_an_invoice_says_what_the_law_asks_for() -> None:
    text = text_of(PRINTER.document(invoice()))

    for said in (
        "Invoice",
        "NORTHSIDE-2026-000001",
        "1 January 2026",
        "Northside Automobile GmbH & Co. KG Hafenstraße 12 20457 Hamburg Germany Tax ID: DE123456789",
        "Ångström & Søn ApS Zoë Łukasiewicz-Ñandú Strøget 1, 3. tv. 1000 København Denmark Tax ID: DK12345678",
        "WDF1ABC23T0000012",
        "ord_01kd3x7z9qw8ert5yui2op4asd",
        "pay_01kd3x7z9qw8ert5yui2op4asd",
        "Meridian Touring €30,000.00 19% €5,700.00 €35,700.00",
        "Tow bar €750.00 19% €142.50 €892.50",
        "Plates €50.00 0% €0.00 €50.00",
        "Total net €30,800.00",
        "Tax 0% on €50.00 €0.00",
        "Tax 19% on €30,750.00 €5,842.50",
        "Total €36,642.50",
        "All amounts in EUR.",
        "Page 1 of 1",
    ):
        assert said in text


def test_an_invoice_in_spanish_reads_as_spanish() -> None:
    text = text_of(PRINTER.document(invoice(language="es")))

    for said in (
        "Factura",
        "1 de enero de 2026",
        "Vendedor",
        "Alemania NIF/IVA: DE123456789",
        "Meridian Touring 30.000,00 € 19 % 5.700,00 € 35.700,00 €",
        "Base imponible 30.800,00 €",
        "Total 36.642,50 €",
        "Página 1 de 1",
    ):
        assert said in text


def test_a_credit_note_names_the_invoice_that_it_corrects() -> None:
    document = invoice(
        line("Meridian Touring", -3_000_000, 1900),
        kind="credit_note",
        number="NORTHSIDE-CN-2026-000001",
        refers_to="NORTHSIDE-2026-000001",
    )
    text = text_of(PRINTER.document(document))

    assert "Credit note" in text
    assert "NORTHSIDE-CN-2026-000001" in text
    assert "Corrects invoice NORTHSIDE-2026-000001" in text
    assert "Total -€35,700.00" in text


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "¥3,570,000"), ("KWD", "KWD 3,570.000"), ("USD", "$35,700.00")]
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: str) -> None:
    document = invoice(line("Meridian", 3_000_000, 1900), currency=currency)
    assert f"Total {amount}" in text_of(PRINTER.document(document))


def test_what_is_not_known_leaves_no_empty_label() -> None:
    private = Party(name="Ana Ruiz")
    text = text_of(PRINTER.document(invoice(vin=None, buyer=private)))

    assert "VIN" not in text
    assert "Corrects" not in text
    assert text.count("Tax ID") == 1
    assert "None" not in text


NAMES = [
    "Zoë Ñandú",
    "Łukasz Żółć",
    "Søren Ångström",
    "Ελένη Παπαδοπούλου",
    "Надежда Їжак",
    "Şehriyar Ğ",
    "O’Neill “Bo”",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_europe_are_printed_and_can_be_read_back(name: str) -> None:
    assert name in text_of(PRINTER.document(invoice(buyer=Party(name=name))))
    assert name in text_of(PRINTER.delivery_note(delivery_note(1, customer=name)))


def test_a_name_typed_with_combining_accents_is_printed_composed() -> None:
    typed = unicodedata.normalize("NFD", "Zoë Ñandú")
    assert "Zoë Ñandú" in text_of(PRINTER.document(invoice(buyer=Party(name=typed))))


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("李明", "[U+674E U+660E]"),
        ("田中 さくら", "[U+7530 U+4E2D] [U+3055 U+304F U+3089]"),
        ("김민수", "[U+AE40 U+BBFC U+C218]"),
        ("🚗 Ana", "[U+1F697] Ana"),
        ("محمد", "[U+0645 U+062D U+0645 U+062F]"),
        ("דוד", "[U+05D3 U+05D5 U+05D3]"),
    ],
)
def test_a_script_without_a_font_is_printed_as_code_points_and_stops_no_invoice(
    name: str, printed: str
) -> None:
    text = text_of(PRINTER.document(invoice(buyer=Party(name=name, address=f"{name} 7"))))
    assert text.count(printed) == 2
    assert "Total €36,642.50" in text
    assert printed in text_of(PRINTER.delivery_note(delivery_note(1, customer=name)))


def test_a_whole_address_in_code_points_stays_on_its_page() -> None:
    long = Party(name="李" * 60, company="明" * 120, address="東京都千代田区丸の内一丁目九番一号\n" * 20)
    pages = pages_of(PRINTER.document(invoice(buyer=long)))
    assert len(pages) <= 2
    assert "Total €36,642.50" in " ".join(" ".join(pages).split())
    assert PRINTER.delivery_note(delivery_note(2, customer=long.name))


def font_of(letters: str, file: Path) -> Path:
    """A font that has these letters only, each a plain square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = [".notdef", *(f"glyph{ord(letter)}" for letter in letters)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(letter): f"glyph{ord(letter)}" for letter in letters})
    font.setupGlyf(dict.fromkeys(names, pen.glyph()))
    font.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(file)
    return file


def test_an_installation_can_bring_fonts_for_other_scripts(tmp_path: Path) -> None:
    printer = PdfPrinter(fallback_fonts=[font_of("李明", tmp_path / "squares.ttf")])
    text = text_of(printer.document(invoice(buyer=Party(name="Zoë 李明 김", address="李"))))
    assert "Zoë 李明 [U+AE40] 李" in text


def test_a_delivery_note_lists_every_car_over_several_pages() -> None:
    note = delivery_note(60)
    pages = pages_of(PRINTER.delivery_note(note))
    text = " ".join(" ".join(pages).split())

    assert len(pages) > 1
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Customer" in page or "signature" in page
    for car in note.cars:
        assert text.count(car.vin) == 1
        assert text.count(car.order) == 1
        assert car.customer in text
    for said in (note.id, note.load, "Northside", "1 January 2026", "Spedition Müller", "Cars 60"):
        assert said in text


def test_a_delivery_note_in_spanish_without_a_carrier() -> None:
    note = msgspec.structs.replace(delivery_note(1, "es"), carrier=None)
    text = text_of(PRINTER.delivery_note(note))
    assert "Albarán de entrega" in text
    assert "Recibido conforme" in text
    assert "Transportista" not in text


def test_the_sum_stands_on_one_page_with_its_label() -> None:
    for count in range(20, 34):  # somewhere here the lines fill the first page to its last millimetre
        lines = [line(f"Part {number}", 100, 1900) for number in range(count)]
        pages = pages_of(PRINTER.document(invoice(*lines)))
        with_total = [page for page in pages if "Total net" in page]
        assert len(with_total) == 1
        assert re.search(r"Total\s+€", with_total[0])


@pytest.mark.parametrize(
    "evil",
    [
        "{pages}",
        "{nb}",
        "**bold** --x--",
        "<b>b</b>",
        "a\nb\tc\r\nd",
        "W" * 5_000,
        "word " * 2_000,
        "\u202edlrow",
        ")\\(",
    ],
)
def test_what_people_write_stays_text(evil: str) -> None:
    document = invoice(
        line(evil, 100, 1900),
        buyer=Party(name=evil, company=evil, address=evil, tax_id=evil, country=evil),
        vin=evil,
    )
    pdf = PRINTER.document(document)

    assert clip(printable(evil), 20).removesuffix("…").split()[0] in text_of(pdf)
    assert len(PdfReader(io.BytesIO(pdf)).pages) <= 2
    assert PRINTER.delivery_note(delivery_note(2, customer=evil))


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300))
def test_no_text_stops_a_document(text: str) -> None:
    document = invoice(line(text, 100, 1900), buyer=Party(name=text, address=text))
    assert PRINTER.document(document).startswith(b"%PDF-")


def test_the_file_tells_its_title_language_and_time() -> None:
    reader = PdfReader(io.BytesIO(PRINTER.document(invoice(language="es"))))

    assert reader.metadata is not None
    assert reader.metadata.title == "Factura NORTHSIDE-2026-000001"
    assert reader.metadata.author == "Northside Automobile GmbH & Co. KG"
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.isoformat() == "2026-01-01T00:30:00+01:00"
    assert str(reader.root_object["/Lang"]) == "es"


def test_fonts_are_embedded_as_subsets() -> None:
    pdf = PRINTER.document(invoice())
    fonts = set(re.findall(rb"/BaseFont /(\S+)", pdf))
    assert fonts
    assert all(re.match(rb"[A-Z]{6}\+Fira", name) for name in fonts)
    assert len(pdf) < 60_000


HASHES = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import test_pdf as t
print(hashlib.sha256(t.PRINTER.document(t.invoice())).hexdigest())
print(hashlib.sha256(t.PRINTER.delivery_note(t.delivery_note(3))).hexdigest())
"""


def test_the_same_document_is_the_same_bytes_in_every_process() -> None:
    here = [PRINTER.document(invoice()), PRINTER.delivery_note(delivery_note(3))]
    elsewhere = subprocess.run(
        [sys.executable, "-c", HASHES, str(Path(__file__).parent)],
        env=os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.split() == [hashlib.sha256(pdf).hexdigest() for pdf in here]

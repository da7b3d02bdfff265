from __future__ import annotations

import html as html_module
import re
from pathlib import Path

import msgspec
import pytest

from dealerflow.adapters.documents.letters import FACT_NAMES, SHIPPED, TemplateLetters
from dealerflow.adapters.documents.words import WORDS
from dealerflow.application.letters import BrokenTemplate, Letter, LetterFacts, UnknownTemplate
from dealerflow.domain.money import Money
from dealerflow.domain.shipping import NoteCar

LANGUAGES = ("en", "es")
TEMPLATES = (
    "credit_note",
    "delivery_note",
    "invoice",
    "new_order",
    "order_accepted",
    "order_cancelled",
    "order_declined",
    "order_in_production",
    "order_on_its_way",
    "order_placed",
    "order_ready",
    "order_thanks",
    "quality_failed",
    "refund_requested",
)
LETTERS = TemplateLetters()

every_letter = pytest.mark.parametrize(
    ("template", "language"), [(template, language) for template in TEMPLATES for language in LANGUAGES]
)


def full_facts(language: str) -> LetterFacts:
    """Every fact has a value that stands in no other fact and in no template."""
    return LetterFacts(
        order_id="ord_01kfact",
        language=language,
        timezone="Europe/Madrid",
        dealership_name="Quellmotors & Sons",
        customer_name="Zoë <script>alert('x')</script> Łukasz",
        model="Zephyr",
        trim="Quasar",
        colour="Vermilion",
        options=("Wimple", "Xylophone"),
        price=Money(4_325_011, "EUR"),
        vin="WDF1ABC23T0000012",
        line="Kappa",
        tracking_url="https://cars.example/orders/ord_01kfact?key=abc&lang=x",
        board_url="https://cars.example/board/ord_01kfact",
        payment_url="https://cars.example/pay/ord_01kfact",
        due=Money(1_122_033, "EUR"),
        refund=Money(2_233_044, "EUR"),
        reason="Discontinued\nfor <good>",
        note="Ring twice",
        defects=("Blistering", "Squeak"),
        failures=7,
        document_number="QUELL-2026-000417",
        document_total=Money(3_344_055, "EUR"),
        load="lod_01kfact",
        cars=(
            NoteCar(
                order="ord_01kcar1",
                model="Boreas",
                colour="Ochre",
                vin="WDF1ABC23T0000098",
                customer="Ana <b>Ruiz</b>",
            ),
            NoteCar(
                order="ord_01kcar2",
                model="Notus",
                colour="Teal",
                vin="WDF1ABC23T0000099",
                customer="Bo Kjær",
            ),
        ),
        estimated_arrival=1_769_900_000_000,  # 31 January 2026, 23:53 in Madrid
        carrier="Spedition Müller",
    )


def minimal_facts(language: str) -> LetterFacts:
    return LetterFacts(order_id="ord_01kfact", language=language)


def words_in(text: str) -> str:
    """The text with single spaces, so that a line break in one form is no difference."""
    return " ".join(text.split())


def readable(markup: str) -> str:
    """What a reader of the HTML sees, and where its links lead."""
    body = re.sub(r"(?s)<head>.*?</head>", "", markup)
    links = " ".join(re.findall(r'href="([^"]*)"', body))
    return words_in(html_module.unescape(re.sub(r"<[^>]+>", " ", body) + " " + links))


MARKERS = {
    "dealership_name": "Quellmotors & Sons",
    "customer_name": "Łukasz",
    "model": "Zephyr",
    "trim": "Quasar",
    "colour": "Vermilion",
    "options": "Wimple, Xylophone",
    "price": "3[.,]250[.,]11",
    "vin": "WDF1ABC23T0000012",
    "line": "Kappa",
    "tracking_url": r"https://cars\.example/orders/ord_01kfact\?key=abc&lang=x",
    "board_url": r"https://cars\.example/board/ord_01kfact",
    "payment_url": r"https://cars\.example/pay/ord_01kfact",
    "due": "11[.,]220[.,]33",
    "refund": "22[.,]330[.,]44",
    "reason": "Discontinued for <good>",
    "note": "Ring twice",
    "defects": "Blistering, Squeak",
    "failures": r"\b7\b",
    "document_number": "QUELL-2026-000417",
    "document_total": "33[.,]440[.,]55",
    "load": "lod_01kfact",
    "cars": "WDF1ABC23T0000099",
    "estimated_arrival": "31 January 2026|31 de enero de 2026",
    "carrier": "Spedition Müller",
}


def facts_said(text: str) -> set[str]:
    return {name for name, marker in MARKERS.items() if re.search(marker, words_in(text))}


def test_the_shipped_templates_are_those_that_the_pipeline_may_name_in_both_languages() -> None:
    assert LETTERS.templates() == set(TEMPLATES)
    for language in LANGUAGES:
        assert {file.name.removesuffix(".j2") for file in (SHIPPED / language).iterdir()} == set(TEMPLATES)


def test_every_fact_has_a_word_in_every_language() -> None:
    unlabelled = {"language", "timezone", "tracking_url", "board_url", "payment_url", "cars"}
    for words in WORDS.values():
        assert FACT_NAMES - unlabelled <= set(words)
    assert set(WORDS["en"]) == set(WORDS["es"])


@every_letter
def test_a_letter_says_the_same_as_text_and_as_html(template: str, language: str) -> None:
    letter = LETTERS.write(template, full_facts(language))

    said = facts_said(letter.text)
    assert said == facts_said(readable(letter.html).replace(letter.subject, "", 1))
    assert len(said) >= 4


@every_letter
def test_a_letter_can_be_written_from_an_order_id_alone(template: str, language: str) -> None:
    letter = LETTERS.write(template, minimal_facts(language))

    assert facts_said(letter.text) == set()
    assert "None" not in letter.text + letter.html
    assert "href" not in letter.html
    assert "ord_01kfact" in letter.text


@every_letter
def test_people_read_the_short_number_of_an_order_and_only_the_last_line_has_its_id(
    template: str, language: str
) -> None:
    facts = full_facts(language)
    letter = LETTERS.write(
        template, msgspec.structs.replace(facts, tracking_url=None, board_url=None, payment_url=None)
    )
    *lines, last = letter.text.splitlines()

    assert "ord_" not in letter.subject
    assert "lod_" not in letter.subject
    assert not [line for line in lines if "ord_" in line or "lod_" in line]
    assert ("lod_01kfact" if template == "delivery_note" else "ord_01kfact") in last
    assert "1KFACT" in letter.text


@every_letter
def test_each_single_fact_may_be_missing(template: str, language: str) -> None:
    facts = full_facts(language)
    empty = minimal_facts(language)
    for name in sorted(FACT_NAMES - {"order_id", "language", "timezone"}):
        letter = LETTERS.write(template, msgspec.structs.replace(facts, **{name: getattr(empty, name)}))
        assert name not in facts_said(letter.text + letter.subject)


@every_letter
def test_what_people_wrote_is_escaped_in_html(template: str, language: str) -> None:
    markup = LETTERS.write(template, full_facts(language)).html

    assert not re.search(r"<script|<b>|<good>", markup)
    assert "alert('x')" not in markup


@every_letter
def test_html_asks_nothing_of_other_hosts_and_keeps_its_styles_inline(template: str, language: str) -> None:
    markup = LETTERS.write(template, full_facts(language)).html

    assert not re.search(r"<(img|link|script|style|iframe|form)\b|url\(|@import", markup)
    assert f'<html lang="{language}">' in markup


@every_letter
def test_a_subject_is_one_line_even_if_a_name_is_not(template: str, language: str) -> None:
    facts = msgspec.structs.replace(
        full_facts(language),
        customer_name="Eve\r\nBcc: all@cars.example",
        dealership_name="North\nside",
        document_number="1\n2",
        vin="a\rb",
        load="l\u2028m",
    )
    subject = LETTERS.write(template, facts).subject

    assert subject.splitlines() == [subject]
    assert subject == subject.strip() != ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_note_cannot_pass_for_another_row_of_the_letter(language: str) -> None:
    facts = msgspec.structs.replace(full_facts(language), note="ok\nVIN: forged")

    text = LETTERS.write("new_order", facts).text

    assert "\n    VIN: forged" in text
    assert "\nVIN: forged" not in text


@pytest.mark.parametrize(
    ("template", "facts"),
    [
        ("order_accepted", {"payment_url", "due"}),
        ("order_declined", {"reason"}),
        ("quality_failed", {"vin", "defects", "failures"}),
        ("delivery_note", {"load", "cars"}),
        ("refund_requested", {"refund", "dealership_name", "board_url"}),
        ("invoice", {"document_number", "document_total"}),
        ("new_order", {"customer_name", "model", "trim", "colour", "options", "price", "note", "board_url"}),
        ("order_placed", {"tracking_url", "price"}),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_says_what_its_reader_needs(template: str, facts: set[str], language: str) -> None:
    assert facts <= facts_said(LETTERS.write(template, full_facts(language)).text)


def test_amounts_and_dates_read_as_in_the_readers_language() -> None:
    english = LETTERS.write("order_on_its_way", full_facts("en")).text
    spanish = LETTERS.write("order_on_its_way", full_facts("es")).text
    assert "31 January 2026" in english
    assert "31 de enero de 2026" in spanish
    assert "€43,250.11" in LETTERS.write("order_placed", full_facts("en")).text
    assert "43.250,11\N{NO-BREAK SPACE}€" in LETTERS.write("order_placed", full_facts("es")).text


def test_a_first_failure_is_not_counted_aloud() -> None:
    once = LETTERS.write("quality_failed", msgspec.structs.replace(full_facts("en"), failures=1))
    often = LETTERS.write("quality_failed", full_facts("en"))
    assert "times" not in once.subject + once.text
    assert "It has now failed 7 times." in words_in(often.text)


@pytest.mark.parametrize(
    ("language", "expected"),
    [("es-MX", "Hola"), ("ES", "Hola"), ("fr", "Hello"), ("", "Hello"), ("../en", "Hello")],
)
def test_a_language_without_translation_is_read_in_the_nearest_one(language: str, expected: str) -> None:
    assert LETTERS.write("order_placed", minimal_facts(language)).text.startswith(expected)


@pytest.mark.parametrize("name", ["order_lost", "", "_layout", "../en/order_placed", "en/order_placed"])
def test_an_unknown_template_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownTemplate, match=r"no letter template .*order_placed, order_ready"):
        LETTERS.write(name, minimal_facts("en"))


def own_letter(folder: Path, files: dict[str, str], template: str, language: str = "en") -> Letter:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return TemplateLetters(folder).write(template, full_facts(language))


WELCOME = (
    "{% extends layout %}{% block subject %}Welcome, {{ model }}{% endblock %}"
    '{% block body %}{% call p() %}Our <own> words{% endcall %}{{ table(rows("vin")) }}{% endblock %}'
)


def test_an_installation_adds_a_template_in_one_file(tmp_path: Path) -> None:
    letter = own_letter(tmp_path, {"en/welcome.j2": WELCOME}, "welcome")

    assert letter.subject == "Welcome, Zephyr"
    assert "Our <own> words\n\nVIN: WDF1ABC23T0000012" in letter.text
    assert "WDF1ABC23T0000012" in readable(letter.html)
    assert TemplateLetters(tmp_path).templates() == {*TEMPLATES, "welcome"}


def test_an_installation_overrides_a_template_in_one_language(tmp_path: Path) -> None:
    assert own_letter(tmp_path, {"es/order_thanks.j2": WELCOME}, "order_thanks", "es").subject.startswith(
        "Welcome"
    )
    assert TemplateLetters(tmp_path).write("order_thanks", full_facts("en")).subject.startswith("Enjoy")


def test_an_installation_overrides_one_form_and_the_frame(tmp_path: Path) -> None:
    letter = own_letter(
        tmp_path,
        {
            "en/order_thanks.html.j2": "<p>By hand for {{ customer_name }}: {{ subject }}</p>",
            "_layout.txt.j2": "OUR HOUSE\n{% block body %}{% endblock %}",
        },
        "order_thanks",
    )
    assert letter.html.startswith("<p>By hand for Zoë &lt;script&gt;")
    assert letter.text.startswith("OUR HOUSE\n")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (WELCOME.replace("{{ model }}", "{{ modle }}"), r"en/own\.j2, line 1: 'modle' is undefined"),
        (WELCOME + "\n{% if %}", r"en/own\.j2, line 2: "),
        (WELCOME.replace('"vin"', '"vim"'), r"en/own\.j2, line 1: there is no fact “vim”"),
        ("{% extends layout %}", r"en/own\.j2: the block “subject” is missing"),
        (
            '{% extends "nowhere.j2" %}{% block subject %}a{% endblock %}',
            r"en/own\.j2, line 1: 'nowhere\.j2' not found",
        ),
    ],
)
def test_a_broken_template_is_named_with_file_and_line(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(BrokenTemplate, match=complaint):
        own_letter(tmp_path, {"en/own.j2": content}, "own")


@pytest.mark.parametrize(
    ("part", "complaint"), [("price | money", "amount"), ("estimated_arrival | date", "time")]
)
def test_a_template_that_forgets_that_a_fact_may_be_missing_is_told_so(
    tmp_path: Path, part: str, complaint: str
) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "own.j2").write_text(WELCOME.replace("{{ model }}", "{{ " + part + " }}"))
    with pytest.raises(BrokenTemplate, match=f"there is no {complaint} here"):
        TemplateLetters(tmp_path).write("own", minimal_facts("en"))

"""How a mail is written, and read back."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dealerflow.adapters.mime import message_bytes, parse_message
from dealerflow.application.letters import (
    Attachment,
    OutgoingMail,
    is_address,
)
from tests.contract.mailers import mail


def message(one: OutgoingMail) -> EmailMessage:
    parsed = message_from_bytes(message_bytes(one), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_mail_carries_the_headers_that_machines_owe() -> None:
    headers = message(mail())
    assert headers["Message-ID"] == "<mail_000001@dealerflow.example>"
    assert headers["Date"] == "Sat, 31 Jan 2026 12:00:00 +0000"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["MIME-Version"] == "1.0"
    assert headers["From"] == "Northside <no-reply@dealerflow.example>"
    assert "Reply-To" not in headers


def test_text_and_html_are_alternatives_and_attachments_stand_beside_them() -> None:
    attachment = Attachment(name="a.pdf", content_type="application/pdf", content=b"%PDF")
    whole = message(mail(attachments=(attachment,)))
    assert whole.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in whole.walk()][1:] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]


def test_a_mail_is_ascii_with_short_lines_unless_an_address_needs_more() -> None:
    long = mail(subject="ñ" * 300, sender="Ñandú " * 12 + "<a@cars.example>", text="ñ" * 5_000 + "\n")
    wire = message_bytes(long, linesep="\r\n")
    assert wire.isascii()
    assert max(len(row) for row in wire.split(b"\r\n")) <= 998  # RFC 5322, 2.1.1
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert "josé@cars.example".encode() in message_bytes(mail(to="josé@cars.example"))


anything = st.characters(exclude_categories=["Cs"])
one_line = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85"), max_size=120
)
sender_name = st.text(
    st.characters(categories=("Lu", "Ll", "Nd"), include_characters=" .,'()&-"), min_size=1, max_size=60
)


@settings(max_examples=200, deadline=None)
@given(subject=one_line, name=sender_name, text=st.text(anything, max_size=300))
@example(subject="=?utf-8?q?Hi=0D=0ABcc:_all=40cars.example?=", name="=?utf-8?b?QQ==?=", text="")
@example(subject="ñ " * 40, name="Ñandú", text="a\n.\n..\n--x\nFrom me\n")
@example(subject='=?utf-8?q?x?= " <a@b>', name="Smith, J. (Sales) & Co", text="")
def test_what_is_written_can_be_read_back(subject: str, name: str, text: str) -> None:
    written = mail(
        subject=" ".join(subject.split()),
        sender=f"{' '.join(name.split()) or 'X'} <a@cars.example>",
        text=text,
    )
    read = parse_message(message_bytes(written, linesep="\r\n"))

    assert read.subject == written.subject
    assert read.sender == written.sender
    assert read.text.rstrip("\n") == re.sub(r"\r\n?", "\n", text).rstrip("\n")


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_an_address_is_never_more_than_one_header_word(text: str) -> None:
    if is_address(text):
        assert text.split() == [text]
        assert text.count("@") == 1
        assert not set(text) & set('<>,;:"\\()')

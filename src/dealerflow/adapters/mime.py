"""Mail as it stands on the wire and on disk: MIME out of an `OutgoingMail`, and back.

The few headers are written here and not by `EmailMessage`, which would take "=?…?=" in a subject for
something encoded, decode it, and so let a name that somebody typed become part of a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import encoders, policy
from email.charset import QP, Charset
from email.header import Header, decode_header, make_header
from email.headerregistry import DateHeader
from email.message import EmailMessage, Message, MIMEPart
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.parser import BytesParser
from email.utils import format_datetime, parseaddr, quote

import idna

from dealerflow.application.letters import Attachment, OutgoingMail, Rejected, split_address

HEADER_WIDTH = 76  # RFC 2047, 2: the longest line with an encoded word

# Bodies are encoded to ASCII, so that no server needs to know 8BITMIME (RFC 6152).
_BODY_POLICY = policy.compat32.clone(mangle_from_=False, cte_type="7bit")
_TEXT_CHARSET = Charset("utf-8")
_TEXT_CHARSET.body_encoding = QP
_PLAIN_WORDS = re.compile(r"[ -~]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")  # RFC 5322, 3.2.3: needs no quotes


def is_international(mail: OutgoingMail) -> bool:
    """Whether an address needs SMTPUTF8 (RFC 6531): one whose part before the @ is not ASCII."""
    return not all(address_of(text).isascii() for text in (mail.sender, mail.to, mail.reply_to or ""))


def address_of(text: str) -> str:
    """The bare address of "Name <address>", its domain as DNS knows it.

    Raises Rejected for a domain that cannot exist.
    """
    _, address = split_address(text) or ("", text)
    local, at, domain = address.rpartition("@")
    return local + at + _ascii_domain(domain)


def message_bytes(mail: OutgoingMail, *, linesep: str = "\n") -> bytes:
    """The mail as MIME: text, HTML as an alternative, attachments; marked as sent by a machine (RFC 3834).

    `linesep` is "\\r\\n" on the wire. All is ASCII but international addresses (RFC 6532). Raises Rejected
    for an address that cannot exist.
    """
    head = "".join(f"{name}: {value}\n" for name, value in _headers(mail)).replace("\n", linesep)
    return head.encode() + _body(mail).as_bytes(policy=_BODY_POLICY.clone(linesep=linesep))


def _headers(mail: OutgoingMail) -> Iterator[tuple[str, str]]:
    yield "Message-ID", f"<{mail.message_id}>"
    yield "Date", format_datetime(datetime.fromtimestamp(mail.at // 1000, UTC))
    yield "From", _mailbox(mail.sender)
    yield "To", _mailbox(mail.to)
    if mail.reply_to:
        yield "Reply-To", _mailbox(mail.reply_to)
    yield "Subject", _words(mail.subject, len("Subject: "))
    yield "Auto-Submitted", "auto-generated"


def _words(text: str, indent: int) -> str:
    """The text as it stands in a header: itself where that is safe and short, else as encoded words (RFC 2047)."""
    if _PLAIN_WORDS.fullmatch(text) and "=?" not in text and len(text) + indent <= HEADER_WIDTH:
        return text
    return Header(text, "utf-8", maxlinelen=HEADER_WIDTH, header_name=" " * (indent - 2)).encode()


def _mailbox(text: str) -> str:
    name, _ = split_address(text) or ("", text)
    if not name:
        return address_of(text)
    if _PLAIN_WORDS.fullmatch(name) and not _ATOMS.fullmatch(name):
        return f'"{quote(name)}" <{address_of(text)}>'
    return f"{_words(name, len('Reply-To: '))} <{address_of(text)}>"


def _body(mail: OutgoingMail) -> Message:
    body: MIMENonMultipart | MIMEMultipart = _text_part(mail.text, "plain")
    if mail.html:
        body = MIMEMultipart("alternative", None, [body, _text_part(mail.html, "html")])
    if mail.attachments:
        body = MIMEMultipart("mixed", None, [body, *map(_attached, mail.attachments)])
    return body


def _text_part(text: str, kind: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", kind)
    part.set_payload(re.sub(r"\r\n?", "\n", text), _TEXT_CHARSET)
    return part


def _attached(attachment: Attachment) -> MIMEBase:
    main_type, _, sub_type = attachment.content_type.partition("/")
    part = MIMEBase(main_type, sub_type)
    part.set_payload(attachment.content)
    encoders.encode_base64(part)
    name = attachment.name if attachment.name.isascii() else ("utf-8", "", attachment.name)  # RFC 2231
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise Rejected(f"“{domain}” is no domain that mail can go to: {error}") from error


def parse_message(content: bytes) -> OutgoingMail:
    """The mail that `message_bytes` made these bytes from (`at` in whole seconds, line ends as "\\n").

    Raises Invalid or KeyError for bytes that are no such mail.
    """
    message = BytesParser(policy=policy.SMTPUTF8).parsebytes(content)
    return OutgoingMail(
        message_id=str(message["Message-ID"]).strip().strip("<>"),
        to=_named_address(message, "To"),
        sender=_named_address(message, "From"),
        reply_to=_named_address(message, "Reply-To") or None,
        subject=_decoded(_raw(message, "Subject")),
        text=_text(message.get_body(("plain",))),
        html=_text(message.get_body(("html",))),
        at=_milliseconds(message),
        attachments=tuple(_attachment(part) for part in message.iter_attachments()),
    )


def _named_address(message: EmailMessage, header: str) -> str:
    name, address = parseaddr(_raw(message, header))
    return f"{_decoded(name)} <{address}>" if name else address


def _raw(message: EmailMessage, header: str) -> str:
    """The header as it was written, unfolded. (The parser of Python 3.11 leaves blanks between encoded words.)"""
    for name, value in message.raw_items():
        if name.lower() == header.lower():
            written = str(value).encode("ascii", "surrogateescape").decode("utf-8", "replace")
            return re.sub(r"\r?\n", "", written)
    return ""


def _decoded(text: str) -> str:
    return str(make_header(decode_header(text)))


def _text(part: MIMEPart | None) -> str:
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def _milliseconds(message: EmailMessage) -> int:
    date = message["Date"]
    if not isinstance(date, DateHeader) or date.datetime is None:
        raise KeyError("Date")
    return int(date.datetime.timestamp()) * 1000


def _attachment(part: MIMEPart) -> Attachment:
    content = part.get_payload(decode=True)
    return Attachment(
        name=part.get_filename() or "",
        content_type=part.get_content_type(),
        content=content if isinstance(content, bytes) else b"",
    )

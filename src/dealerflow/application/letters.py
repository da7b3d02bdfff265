"""Letters, printed documents and mail: what they are made from, and the ports that make and send them."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from dealerflow.domain.billing import Document
from dealerflow.domain.errors import DealerflowError, Fault, Invalid
from dealerflow.domain.money import Money
from dealerflow.domain.shipping import DeliveryNote, NoteCar

MAX_MESSAGE_ID_CHARACTERS = 200  # a file name on every system, and no folding of the header (RFC 5322, 998)
MAX_ADDRESS_BYTES = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets

_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*@[A-Za-z0-9][A-Za-z0-9.-]*")
_ADDRESS = re.compile(r'[^\s@<>()\[\]\\,;:"\x00-\x1f\x7f-\x9f]+@[^\s@<>()\[\]\\,;:"\x00-\x1f\x7f-\x9f]+')
_NAMED_ADDRESS = re.compile(r"(?P<name>[^<>\"]*?)\s*<(?P<address>[^<>]+)>")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")


class Rejected(DealerflowError):
    """The mail server refused this mail for good; sending it again would not help."""


class PutOff(DealerflowError):
    """The mail server asks to try this one mail again later; it takes others."""


class UnknownTemplate(DealerflowError):
    """There is no letter template of this name."""


class BrokenTemplate(DealerflowError):
    """A letter template cannot be used as it is written."""


class LetterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a template may speak of. What is None or empty is left out of the letter.

    Labels (`model`, `trim`, `colour`, `options`, `defects`, `state_title`) are in the reader's language.
    `language` is "en", "es" or one that the installation brings templates for. `estimated_arrival` is ms
    since epoch, shown in `timezone` (IANA). `due` is what the customer has to pay next, `refund` what is to
    be paid back. `failures` counts failed quality checks.
    """

    order_id: str
    language: str
    timezone: str = "UTC"
    dealership_name: str | None = None
    customer_name: str | None = None
    model: str | None = None
    trim: str | None = None
    colour: str | None = None
    options: tuple[str, ...] = ()
    price: Money | None = None
    vin: str | None = None
    line: str | None = None
    state_title: str | None = None
    tracking_url: str | None = None
    board_url: str | None = None
    payment_url: str | None = None
    due: Money | None = None
    refund: Money | None = None
    reason: str | None = None
    note: str | None = None
    defects: tuple[str, ...] = ()
    failures: int = 0
    document_number: str | None = None
    document_total: Money | None = None
    load: str | None = None
    cars: tuple[NoteCar, ...] = ()
    estimated_arrival: int | None = None
    carrier: str | None = None


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that is written: a subject of one line, and the same words as plain text and as HTML."""

    subject: str
    text: str
    html: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a mail, e.g. "NORTHSIDE-2026-000001.pdf", "application/pdf"."""

    name: str
    content_type: str
    content: bytes


class OutgoingMail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to one recipient.

    `message_id` is "local@domain" without angle brackets, made from ids so that a repeat has the same. `at`
    (ms since epoch) becomes its Date. `to` is a bare address; `sender` and `reply_to` may be "Name
    <address>". Addresses may be international (RFC 6531). `html` empty: plain text only. Raises Invalid
    where a header would break or carry another header.
    """

    message_id: str
    to: str
    sender: str
    subject: str
    text: str
    at: int
    html: str = ""
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        if faults := mail_faults(self):
            raise Invalid(faults)


def mail_faults(mail: OutgoingMail) -> list[Fault]:
    """What keeps this mail from being sent as it is."""
    faults = []
    if not _MESSAGE_ID.fullmatch(mail.message_id) or len(mail.message_id) > MAX_MESSAGE_ID_CHARACTERS:
        faults.append(Fault("/message_id", "must be local@domain in plain letters, digits and . _ + = -"))
    if not is_address(mail.to):
        faults.append(Fault("/to", "must be one mail address"))
    for field in ("sender", "reply_to"):
        text = getattr(mail, field)
        if text is not None and split_address(text) is None:
            faults.append(Fault(f"/{field}", "must be a mail address or Name <address>"))
    if _UNPRINTABLE.search(mail.subject):
        faults.append(Fault("/subject", "must be one line without control characters"))
    faults += [
        Fault(
            f"/attachments/{index}", "needs a file name of one line and a content type like application/pdf"
        )
        for index, part in enumerate(mail.attachments)
        if _UNPRINTABLE.search(part.name) or not _CONTENT_TYPE.fullmatch(part.content_type)
    ]
    return faults


def is_address(text: str) -> bool:
    """Whether this is one bare mail address that is safe in a header (not whether anybody reads it)."""
    if _UNPRINTABLE.search(text):
        return False
    return bool(_ADDRESS.fullmatch(text)) and len(text.encode()) <= MAX_ADDRESS_BYTES


def split_address(text: str) -> tuple[str, str] | None:
    """("Name", "address") of "Name <address>"; the name of a bare address is ""; None if it is neither."""
    if is_address(text):
        return "", text
    found = _NAMED_ADDRESS.fullmatch(text)
    if found is None or _UNPRINTABLE.search(text) or not is_address(found["address"]):
        return None
    return found["name"].strip(), found["address"]


class LetterWriter(Protocol):
    """Writes letters from templates."""

    def write(self, template: str, facts: LetterFacts) -> Letter:
        """The letter in the reader's language, in English if there is no such translation.

        Raises UnknownTemplate (its text names the known ones) and BrokenTemplate (its text names file and
        line).
        """

    def templates(self) -> frozenset[str]:
        """The names of all templates that can be written, e.g. for checking a pipeline file."""


class DocumentPrinter(Protocol):
    """Prints documents as PDF. The same input gives the same bytes, so a document can be printed again."""

    def document(self, document: Document) -> bytes:
        """An invoice or a credit note. A character that no font has is shown as an empty box."""

    def delivery_note(self, note: DeliveryNote) -> bytes:
        """A delivery note with all its cars, over as many pages as they need."""


class Mailer(Protocol):
    """Hands mail over. One call is one mail to one recipient."""

    def send(self, mail: OutgoingMail) -> None:
        """Hand the mail over; when this returns, the other side has it for good.

        Raises Outage if the server cannot be reached, or takes no mail from us now (for a Maildir: the disk is
        full): waiting helps, and the mail may be sent again. Raises PutOff if it says "later" to this
        recipient alone (4xx), Rejected if this mail is refused for good (5xx). The same `message_id` twice is
        harmless: a store keeps one; a server is given the mail again with the same Message-ID.
        """

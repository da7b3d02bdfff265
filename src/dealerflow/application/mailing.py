"""Sending mail: what a mail says is gathered when it is sent, from its row's ids; nothing personal waits in a queue."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from dealerflow.application.letters import (
    Attachment,
    DocumentPrinter,
    LetterFacts,
    LetterWriter,
    Mailer,
    OutgoingMail,
    PutOff,
    Rejected,
)
from dealerflow.application.links import Links
from dealerflow.application.records import Dealership, Mail
from dealerflow.application.shipping import label
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.billing import due
from dealerflow.domain.errors import DealerflowError
from dealerflow.domain.languages import in_language
from dealerflow.domain.messages import Envelope, SendMail, message_of
from dealerflow.domain.money import Money
from dealerflow.domain.orders import Order

# RFC 5321, 4.5.4.1: for four or five days; half an hour between two tries, and less at first.
FIRST_TRY_AGAIN_MS = 60 * 1000
TRY_AGAIN_MS = 30 * 60 * 1000
TRIED_FOR_MS = 5 * 24 * 60 * 60 * 1000

Answer = tuple[OutgoingMail, Literal["sent", "refused", "put off"]]


class LostRecipient(DealerflowError):
    """There is nobody (any more) to send this mail to."""


class SendMails:
    """Writes and sends the one mail of a `SendMail`."""

    def __init__(
        self, writer: LetterWriter, printer: DocumentPrinter, mailer: Mailer, links: Links, *, sender: str
    ) -> None:
        self._writer = writer
        self._printer = printer
        self._mailer = mailer
        self._links = links
        self._sender = sender

    def prepare(self, work: UnitOfWork, envelope: Envelope) -> OutgoingMail | None:
        """Gather and write the mail, unless it was sent."""
        mail = work.happenings.mail(message_of(envelope, SendMail).mail)
        if mail is None or mail.status != "queued":
            return None
        letter = self._writer.write(mail.template, self._facts(work, mail))
        return OutgoingMail(
            message_id=f"{mail.id}@{self._links.mail_domain}",
            to=_address(work, mail),
            sender=self._sender,
            subject=letter.subject,
            text=letter.text,
            html=letter.html,
            at=mail.at,
            attachments=self._attachments(work, mail),
        )

    def perform(self, request: OutgoingMail, envelope: Envelope) -> Answer:
        """Hand it over: the mail, and what became of it."""
        try:
            self._mailer.send(request)
        except Rejected:
            return request, "refused"
        except PutOff:
            return request, "put off"
        return request, "sent"

    def record(self, work: UnitOfWork, envelope: Envelope, answer: Answer) -> None:
        """Note in the mail log that it was sent, or refused for good. What was put off is queued again, later and later."""
        (mail, what), now = answer, work.clock.now()
        message, age = message_of(envelope, SendMail), now - mail.at
        if what == "put off" and age < TRIED_FOR_MS:
            delay = min(max(age, FIRST_TRY_AGAIN_MS), TRY_AGAIN_MS)
            work.send(envelope.queue, message, group=envelope.group, order=envelope.order, delay_ms=delay)
            return
        status: Literal["sent", "refused"] = "sent" if what == "sent" else "refused"
        work.happenings.mail_sent(message.mail, at=now, subject=mail.subject, status=status)

    def _attachments(self, work: UnitOfWork, mail: Mail) -> tuple[Attachment, ...]:
        if mail.attachment is None:
            return ()
        if document := work.billing.document(mail.attachment):
            pdf = self._printer.document(document)
            return (Attachment(name=f"{document.number}.pdf", content_type="application/pdf", content=pdf),)
        if note := work.shipping.note(mail.attachment):
            pdf = self._printer.delivery_note(note)
            return (Attachment(name=f"{note.id}.pdf", content_type="application/pdf", content=pdf),)
        raise DealerflowError(f"mail {mail.id} should carry {mail.attachment}, which does not exist")

    def _facts(self, work: UnitOfWork, mail: Mail) -> LetterFacts:
        facts = LetterFacts(order_id=mail.order_id or "", language=mail.language)
        if mail.order_id:
            facts = self._order_facts(work, mail, facts)
        if mail.attachment and (document := work.billing.document(mail.attachment)):
            total = Money(document.gross, document.currency)
            facts = replace(
                facts, document_number=document.number, document_total=total, vin=document.vin or facts.vin
            )
        if mail.attachment and (note := work.shipping.note(mail.attachment)):
            facts = replace(
                facts,
                cars=note.cars,
                load=note.load,
                carrier=note.carrier,
                dealership_name=note.dealership_name,
                document_number=note.id,
            )
        return facts

    def _order_facts(self, work: UnitOfWork, mail: Mail, facts: LetterFacts) -> LetterFacts:
        order = work.orders.get(mail.order_id or "")
        revision, customer = work.orders.revision(order.id), work.orders.customer(order.id)
        dealership = work.people.dealership(order.dealership)
        state = work.pipelines.get(order.pipeline).states.get(mail.facts.get("state", order.state))
        vehicle = mail.facts.get("vehicle", order.vehicle)
        option_labels = (
            label(revision.labels, f"option:{option}", mail.language) or option for option in revision.options
        )
        return replace(
            facts,
            timezone=work.people.seller(dealership.seller).timezone,
            dealership_name=dealership.name,
            customer_name=customer.name,
            model=label(revision.labels, "model", mail.language) or revision.model,
            trim=label(revision.labels, "trim", mail.language) or revision.trim,
            colour=label(revision.labels, "colour", mail.language) or revision.colour,
            options=tuple(option_labels),
            price=Money(order.price, order.currency),
            vin=work.factory.vehicle(vehicle).vin if vehicle else None,
            line=mail.facts.get("line", order.line),
            state_title=in_language(state.title, mail.language) if state else None,
            tracking_url=self._links.tracking_url(order.id, order.link_number),
            board_url=self._links.board_url(order.id),
            payment_url=self._links.payment_url(order.id, order.link_number),
            due=_due(order),
            refund=_refund(mail.facts),
            estimated_arrival=_estimated_arrival(work, order, dealership),
            carrier=_carrier(work, order),
            load=order.load,
            **_why(work, mail, order),
        )


def _why(work: UnitOfWork, mail: Mail, order: Order) -> dict[str, Any]:
    """What a person said when deciding: the reason of a decline or cancellation, the defects of a failed check."""
    why: dict[str, Any] = {"failures": mail.facts.get("failures", order.failures)}
    entered = work.happenings.entered(order.id, mail.facts.get("step", order.step))
    if entered:
        why["reason"], why["note"] = entered.details.get("reason"), entered.details.get("note")
        found = entered.details.get("defects") or ()
        titles = {code.code: in_language(code.title, mail.language) for code in work.factory.defect_codes()}
        why["defects"] = tuple(titles.get(code, code) for code in found)
    return why


def _due(order: Order) -> Money | None:
    next_due = due(order.terms, order.price, order.paid)
    return Money(next_due[0], order.currency) if next_due else None


def _refund(facts: dict[str, Any]) -> Money | None:
    return Money(facts["refund"], facts["currency"]) if "refund" in facts else None


def _carrier(work: UnitOfWork, order: Order) -> str | None:
    return work.shipping.load(order.load).carrier if order.load else None


def _estimated_arrival(work: UnitOfWork, order: Order, dealership: Dealership) -> int | None:
    """ms since epoch of the day that the function `estimate_arrival` gave, in the dealership's time zone."""
    text = order.facts.get("estimated_arrival")
    if not isinstance(text, str):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    zone = ZoneInfo(work.people.seller(dealership.seller).timezone)
    return int(datetime.combine(day, time(12), zone).timestamp() * 1000)


def _address(work: UnitOfWork, mail: Mail) -> str:
    if mail.recipient_kind == "customer":
        return work.orders.customer(mail.recipient).email
    if mail.recipient_kind == "dealership":
        return work.people.dealership(mail.recipient).email
    if mail.recipient_kind == "address":
        return mail.recipient
    account = work.people.account(mail.recipient)
    if account is None:
        raise LostRecipient(f"mail {mail.id} is for account {mail.recipient}, which does not exist")
    return account.email

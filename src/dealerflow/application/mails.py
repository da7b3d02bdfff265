"""Asking for mails, and sending them: one row in the mail log and one message for each recipient."""

from __future__ import annotations

from typing import Any

import msgspec

from dealerflow.application import queues
from dealerflow.application.records import Dealership, Mail, RecipientKind
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.languages import FALLBACK
from dealerflow.domain.messages import SendMail
from dealerflow.domain.orders import Order
from dealerflow.domain.people import Account


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets a mail, and in which language. `id` is the order's (its customer), dealership's or account's, or the address."""

    kind: RecipientKind
    id: str
    language: str


def customer_of(order: Order) -> Recipient:
    """The order's customer, in the customer's language."""
    return Recipient(kind="customer", id=order.id, language=order.language)


def office_of(dealership: Dealership) -> Recipient:
    """The dealership's address, in the dealership's language."""
    return Recipient(kind="dealership", id=dealership.id, language=dealership.language)


def member(account: Account) -> Recipient:
    """One member of staff, in that person's language."""
    return Recipient(kind="account", id=account.id, language=account.language)


def address(target: str) -> Recipient:
    """A mail address of which nothing else is known."""
    return Recipient(kind="address", id=target, language=FALLBACK)


def ask_for_mail(
    work: UnitOfWork,
    template: str,
    to: Recipient,
    *,
    cause: str,
    about: Order | None = None,
    facts: dict[str, Any] | None = None,
    attachment: str | None = None,
) -> None:
    """Queue one mail to one recipient. `cause` (a step and action, a document) names why: for it a recipient gets one mail."""
    mail = Mail(
        id=work.ids.new("mal"),
        key=f"{cause}:{template}:{to.kind}:{to.id}",
        order_id=about.id if about else None,
        template=template,
        recipient_kind=to.kind,
        recipient=to.id,
        language=to.language,
        status="queued",
        at=work.clock.now(),
        facts=facts or {},
        attachment=attachment,
    )
    work.happenings.add_mail(mail)
    group = about.dealership if about else to.id
    work.send(queues.NOTIFICATIONS, SendMail(mail=mail.id), group=group, order=mail.order_id)

"""Asking for mails, and sending them: one row in the mail log and one message for each recipient."""

from __future__ import annotations

from typing import Any

from dealerflow.application import queues
from dealerflow.application.records import Dealership, Mail, RecipientKind
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.messages import SendMail
from dealerflow.domain.orders import Order
from dealerflow.domain.people import Account


def ask_for_mail(
    work: UnitOfWork,
    template: str,
    *,
    cause: str,
    recipient_kind: RecipientKind,
    recipient: str,
    language: str,
    group: str,
    order_id: str | None = None,
    facts: dict[str, Any] | None = None,
    attachment: str | None = None,
) -> None:
    """Queue one mail to one recipient. `cause` (a step and action, a document) names why: for it a recipient gets one mail."""
    mail = Mail(
        id=work.ids.new("mal"),
        key=f"{cause}:{template}:{recipient_kind}:{recipient}",
        order_id=order_id,
        template=template,
        recipient_kind=recipient_kind,
        recipient=recipient,
        language=language,
        status="queued",
        at=work.clock.now(),
        facts=facts or {},
        attachment=attachment,
    )
    work.happenings.add_mail(mail)
    work.send(queues.NOTIFICATIONS, SendMail(mail=mail.id), group=group, order=order_id)


def mail_customer(
    work: UnitOfWork,
    order: Order,
    template: str,
    *,
    cause: str,
    facts: dict[str, Any] | None = None,
    attachment: str | None = None,
) -> None:
    """A mail to the order's customer, in the customer's language."""
    ask_for_mail(
        work,
        template,
        cause=cause,
        recipient_kind="customer",
        recipient=order.id,
        language=order.language,
        group=order.dealership,
        order_id=order.id,
        facts=facts,
        attachment=attachment,
    )


def mail_dealership(
    work: UnitOfWork,
    dealership: Dealership,
    template: str,
    *,
    cause: str,
    order_id: str | None = None,
    facts: dict[str, Any] | None = None,
    attachment: str | None = None,
) -> None:
    """A mail to the dealership's address, in the dealership's language."""
    ask_for_mail(
        work,
        template,
        cause=cause,
        recipient_kind="dealership",
        recipient=dealership.id,
        language=dealership.language,
        group=dealership.id,
        order_id=order_id,
        facts=facts,
        attachment=attachment,
    )


def mail_account(
    work: UnitOfWork,
    account: Account,
    template: str,
    *,
    cause: str,
    order: Order,
    facts: dict[str, Any] | None = None,
) -> None:
    """A mail to one member of staff, in that person's language."""
    ask_for_mail(
        work,
        template,
        cause=cause,
        recipient_kind="account",
        recipient=account.id,
        language=account.language,
        group=order.dealership,
        order_id=order.id,
        facts=facts,
    )

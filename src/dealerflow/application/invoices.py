"""Invoices and credit notes: one for each recorded payment or refund, numbered without gaps in the seller's series of the year.

The number and the document are one short transaction: what is undone gives its number back. PDFs are printed from the
document whenever asked for.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from dealerflow.application.mails import ask_for_mail, customer_of
from dealerflow.application.orders import record
from dealerflow.application.records import Payment, Seller
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.billing import (
    Document,
    DocumentKind,
    DocumentLine,
    Party,
    amounts,
    credit_lines,
    document_number,
    invoice_lines,
    totals,
)
from dealerflow.domain.errors import Conflict
from dealerflow.domain.messages import Envelope, IssueCreditNote, IssueInvoice, message_of
from dealerflow.domain.orders import Customer, Order


def issue_invoice(work: UnitOfWork, envelope: Envelope) -> None:
    """Give a recorded payment its one invoice. A payment that has one keeps it."""
    payment = work.billing.payment(message_of(envelope, IssueInvoice).payment)
    if work.billing.document_for("invoice", payment.id) is not None:
        return
    order = work.orders.get(payment.order_id)
    seller = _seller(work, order)
    percent = next((term.percent for term in order.terms if _is_row(order, payment, term.before)), None)
    lines = invoice_lines(
        work.orders.revision(order.id).lines,
        payment.amount,
        seller.tax_rate,
        before=payment.before,  # type: ignore[arg-type]
        percent=percent,
        language=order.language,
    )
    _issue(work, "invoice", order, payment, seller, lines, refers_to=None)


def _is_row(order: Order, payment: Payment, before: str) -> bool:
    return before == payment.before and (before, payment.amount) in amounts(order.terms, order.price)


def issue_credit_note(work: UnitOfWork, envelope: Envelope) -> None:
    """Give a recorded refund its one credit note, the mirror of the payment's invoice."""
    payment = work.billing.payment(message_of(envelope, IssueCreditNote).payment)
    if work.billing.document_for("credit_note", payment.id) is not None:
        return
    invoice = work.billing.document_for("invoice", payment.id)
    if invoice is None:
        raise Conflict(f"payment {payment.id} has no invoice yet; its credit note waits for it")
    order = work.orders.get(payment.order_id)
    lines = credit_lines(invoice.lines)
    _issue(work, "credit_note", order, payment, _seller(work, order), lines, refers_to=invoice.number)


def _seller(work: UnitOfWork, order: Order) -> Seller:
    return work.people.seller(work.people.dealership(order.dealership).seller)


def _issue(
    work: UnitOfWork,
    kind: DocumentKind,
    order: Order,
    payment: Payment,
    seller: Seller,
    lines: tuple[DocumentLine, ...],
    *,
    refers_to: str | None,
) -> None:
    now = work.clock.now()
    year = datetime.fromtimestamp(now / 1000, ZoneInfo(seller.timezone)).year
    running, restored = work.billing.next_running(seller.id, kind, year)
    net, tax, gross = totals(lines)
    document = Document(
        id=work.ids.new("doc"),
        kind=kind,
        number=document_number(seller.number_prefix, kind, year, running, restored),
        issued_at=now,
        timezone=seller.timezone,
        language=order.language,
        currency=payment.currency,
        seller=Party(name=seller.name, address=seller.address, tax_id=seller.tax_id, country=seller.country),
        buyer=_buyer(work.orders.customer(order.id)),
        order_id=order.id,
        payment_id=payment.id,
        lines=lines,
        net=net,
        tax=tax,
        gross=gross,
        vin=work.factory.vehicle(order.vehicle).vin if order.vehicle else None,
        refers_to=refers_to,
    )
    work.billing.add_document(
        document, seller=seller.id, dealership=order.dealership, year=year, restored=restored, running=running
    )
    type_ = events.INVOICE_ISSUED if kind == "invoice" else events.CREDIT_NOTE_ISSUED
    details = {"document": document.id, "number": document.number, "payment": payment.id}
    record(work, order, type_, by="dealerflow", details=details)
    ask_for_mail(work, kind, customer_of(order), cause=document.id, about=order, attachment=document.id)


def _buyer(customer: Customer) -> Party:
    return Party(
        name=customer.name,
        company=customer.company or "",
        address=customer.address or "",
        tax_id=customer.tax_id or "",
    )

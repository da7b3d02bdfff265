"""The map: which message is worked by what."""

from __future__ import annotations

from dealerflow.application.actions import announce_car, publish_to_topic
from dealerflow.application.functions import CallFunctions
from dealerflow.application.handling import Call, Handler, HandlerFor
from dealerflow.application.happenings import DeliverWebhooks, PublishEvents
from dealerflow.application.invoices import issue_credit_note, issue_invoice
from dealerflow.application.mailing import SendMails
from dealerflow.application.orders import move_order, place_order
from dealerflow.application.payments import TakePayments
from dealerflow.application.shipping import issue_delivery_note
from dealerflow.domain import messages as m


def handler_table(
    *, payments: TakePayments, mails: SendMails, functions: CallFunctions, webhooks: DeliverWebhooks
) -> dict[type[m.Message], Handler]:
    """message -> handler. The four that call the outside are given what they call."""
    return {
        m.PlaceOrder: place_order,
        m.MoveOrder: move_order,
        m.TakePayment: Call(prepare=payments.prepare, perform=payments.perform, record=payments.record),
        m.IssueInvoice: issue_invoice,
        m.IssueCreditNote: issue_credit_note,
        m.IssueDeliveryNote: issue_delivery_note,
        m.AnnounceCar: announce_car,
        m.SendMail: Call(prepare=mails.prepare, perform=mails.perform, record=mails.record),
        m.PublishToTopic: publish_to_topic,
        m.CallFunction: Call(prepare=functions.prepare, perform=functions.perform, record=functions.record),
        m.PublishEvent: PublishEvents(),
        m.DeliverWebhook: Call(prepare=webhooks.prepare, perform=webhooks.perform, record=webhooks.record),
    }


def finder(table: dict[type[m.Message], Handler]) -> HandlerFor:
    """A lookup in the table, for a worker. Raises LookupError for a message that nobody works."""

    def find(message_type: type[m.Message]) -> Handler:
        if message_type not in table:
            raise LookupError(f"nothing works {message_type.__name__} messages")
        return table[message_type]

    return find

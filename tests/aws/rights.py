"""Every right of every function's role: the story that breaks without it, or why the emulator cannot show that."""

from __future__ import annotations

import re
from typing import NamedTuple

from dealerflow.adapters.aws.names import QUEUES
from tests.aws import right_outcomes as o
from tests.aws import right_stories as s
from tests.aws.right_outcomes import Outcome
from tests.aws.right_stories import Story
from tests.aws.roles import Right

DEAD = r".+-dead"
LIVE = r"(?!.*-dead).+"
ANYTHING = r".*"


class Row(NamedTuple):
    """A right, the story that needs it, and what comes of that. `targets`: what it is for, as an expression.

    `says`: what the function logs without the right, where that names no right.
    """

    function: str
    action: str
    targets: str
    story: Story
    outcome: Outcome
    says: str = ""

    def covers(self, right: Right) -> bool:
        """Whether it is about this right."""
        return (self.function, self.action) == right[:2] and bool(re.fullmatch(self.targets, right.target))


FORWARDED = [
    "orders",
    "decisions",
    "executions",
    "payments",
    "invoices",
    "deliveries",
    "events",
    "functions",
    "webhooks",
]
HEAD_REFUSED = "is not set up for this (403)"  # an answer to HEAD has no words

STARTED, REPLACED = o.executions("RUNNING"), o.executions("ABORTED", "RUNNING")

SHOWN = [
    # --- intake
    Row("intake", "sqs:SendMessage", "orders", s.an_order_is_sent, o.answered(202)),
    Row("intake", "dynamodb:PutItem", ANYTHING, s.an_order_is_sent_with_a_key, o.answered(202)),
    Row("intake", "dynamodb:UpdateItem", ANYTHING, s.an_order_is_sent_with_a_key, o.no_order_is_kept_with_the_key),
    Row("intake", "dynamodb:GetItem", ANYTHING, s.an_order_that_cannot_be_is_sent_with_a_key, o.answered(422)),
    Row("intake", "s3:GetObject", "snapshot", s.an_order_that_cannot_be_is_sent_first, o.answered(422)),
    Row("intake", "secretsmanager:GetSecretValue", ANYTHING, s.its_first_order_is_sent, o.answered(202)),
    # --- web
    Row("web", "dynamodb:PutItem", ANYTHING, s.an_order_is_sent_with_a_key, o.answered(202)),
    Row("web", "dynamodb:UpdateItem", ANYTHING, s.an_order_is_sent_with_a_key, o.no_order_is_kept_with_the_key),
    Row("web", "dynamodb:GetItem", ANYTHING, s.an_order_that_cannot_be_is_sent_with_a_key, o.answered(422)),
    Row("web", "s3:GetObject", "snapshot", s.an_order_that_cannot_be_is_sent_first, o.answered(422)),
    Row("web", "secretsmanager:GetSecretValue", ANYTHING, s.its_first_order_is_sent, o.answered(202)),
    Row("web", "sqs:GetQueueAttributes", LIVE, s.an_operator_looks_at_the_queues, o.answered(200)),
    Row("web", "sqs:GetQueueAttributes", DEAD, s.an_operator_redrives, o.one_lies_there),
    Row("web", "sqs:ReceiveMessage", DEAD, s.an_operator_redrives, o.one_lies_there),
    Row("web", "sqs:DeleteMessage", DEAD, s.an_operator_redrives, o.one_lies_there),
    Row("web", "sqs:ChangeMessageVisibility", DEAD, s.an_operator_redrives, o.one_lies_there),
    *(Row("web", "sqs:SendMessage", queue, s.forwards(queue), o.is_forwarded) for queue in FORWARDED),
    Row("web", "sns:Publish", "notifications", s.forwards("notifications"), o.is_forwarded),
    Row("web", "sns:Publish", "quality-alerts", s.forwards_an_alert(), o.is_forwarded),
    Row("web", "events:PutEvents", ANYTHING, s.forwards_an_event(), o.is_forwarded),
    # --- queues
    *(Row(queue, "sqs:ChangeMessageVisibility", queue, s.a_message_fails, o.is_tried_again) for queue in QUEUES),
    *(Row(queue, "sqs:SendMessage", f"{queue}-dead", s.a_message_fails_for_the_last_time, o.one_lies_there) for queue in QUEUES),
    Row("orders", "sqs:SendMessage", "executions", s.a_customer_orders, STARTED),
    Row("orders", "sqs:SendMessage", "events", s.a_customer_orders, o.happened("OrderPlaced")),
    Row("orders", "sns:Publish", "notifications", s.a_customer_orders, o.mailed("order_placed")),
    Row("decisions", "states:SendTaskSuccess", ANYTHING, s.the_dealership_accepts, o.stands_in("order_arrived")),
    Row("update-status", "sqs:SendMessage", "events", s.the_dealership_accepts, o.happened("OrderMoved")),
    Row("update-status", "sns:Publish", "notifications", s.the_dealership_accepts, o.mailed("order_accepted")),
    Row("update-status", "sqs:SendMessage", "functions", s.the_car_passes_its_check, o.happened("FunctionReturned")),
    Row("update-status", "sqs:SendMessage", "deliveries", s.the_car_passes_its_check, o.happened("CarAnnounced")),
    Row("update-status", "sns:Publish", "quality-alerts", s.the_car_fails_its_check, o.mailed("quality_failed")),
    Row("update-status", "states:SendTaskFailure", ANYTHING, s.an_execution_is_superseded, o.execution_succeeded),
    Row("update-status", "sqs:SendMessage", "decisions-dead", s.a_move_fails_for_the_last_time, o.lies_in("decisions-dead")),
    Row("update-status", "sqs:SendMessage", "executions", s.a_move_fails_for_the_last_time, REPLACED),
    Row("executions", "states:StartExecution", ANYTHING, s.a_customer_orders, STARTED),
    Row("executions", "states:StopExecution", ANYTHING, s.a_state_machine_is_replaced, REPLACED),
    Row("payments", "sqs:SendMessage", "invoices", s.the_customer_pays, o.happened("InvoiceIssued")),
    Row("payments", "sqs:SendMessage", "events", s.the_customer_pays_while_invoices_wait, o.happened("PaymentRecorded")),
    Row("invoices", "sqs:SendMessage", "events", s.the_customer_pays, o.happened("InvoiceIssued")),
    Row("invoices", "sns:Publish", "notifications", s.the_customer_pays, o.mailed("invoice")),
    Row("deliveries", "sqs:SendMessage", "events", s.a_car_is_announced, o.happened("CarAnnounced")),
    Row("deliveries", "sns:Publish", "notifications", s.a_load_departs, o.a_note_is_mailed),
    Row("notifications", "sns:Publish", "notifications", s.an_alert_is_passed_on, o.mailed("quality_failed")),
    Row("notifications", "sqs:SendMessage", "deliveries", s.an_alert_is_passed_on, o.happened("CarAnnounced")),
    Row("notifications", "sqs:SendMessage", "webhooks", s.an_alert_is_passed_on, o.posted_to("/alerts")),
    Row("notifications", "ses:SendEmail", ANYTHING, s.the_dealership_accepts, o.mailed("order_accepted")),
    Row("notifications", "secretsmanager:GetSecretValue", ANYTHING, s.its_first_mail_is_due, o.mailed("order_accepted")),
    Row("events", "sqs:SendMessage", "webhooks", s.a_car_is_announced, o.posted_to("/events")),
    Row("events", "events:PutEvents", ANYTHING, s.a_car_is_announced, o.heard_on_the_bus),
    Row("functions", "sqs:SendMessage", "events", s.its_function_is_called, o.happened("FunctionReturned")),
    # --- schedules, and what is called by hand
    *(Row("relay", "sqs:SendMessage", queue, s.forwards(queue), o.is_forwarded) for queue in FORWARDED),
    Row("relay", "sns:Publish", "notifications", s.forwards("notifications"), o.is_forwarded),
    Row("relay", "sns:Publish", "quality-alerts", s.forwards_an_alert(), o.is_forwarded),
    Row("relay", "events:PutEvents", ANYTHING, s.forwards_an_event(), o.is_forwarded),
    Row("relay", "sqs:SendMessage", r"(?!schedules).+-dead", s.finds_what_no_service_takes, o.one_lies_there),
    Row("relay", "sqs:GetQueueAttributes", DEAD, s.finds_what_sqs_gave_up, o.one_lies_there),
    Row("relay", "sqs:ReceiveMessage", DEAD, s.finds_what_sqs_gave_up, o.one_lies_there),
    Row("relay", "sqs:DeleteMessage", DEAD, s.finds_what_sqs_gave_up, o.one_lies_there),
    Row("relay", "sqs:ChangeMessageVisibility", DEAD, s.finds_what_sqs_gave_up, o.one_lies_there),
    Row("relay", "s3:GetObject", "snapshot", s.is_called_first_with_nothing_kept_for_intake, o.has_a_snapshot, HEAD_REFUSED),
    Row("relay", "s3:PutObject", "snapshot", s.is_called_first_with_nothing_kept_for_intake, o.has_a_snapshot),
    Row("relay", "secretsmanager:GetSecretValue", ANYTHING, s.is_called_first, o.works),
    Row("audit", "states:DescribeExecution", ANYTHING, s.audits_after_a_state_machine_was_lost, REPLACED),
    Row("audit", "sqs:SendMessage", "executions", s.audits_after_a_state_machine_was_lost, REPLACED),
    Row("prepare", "s3:GetObject", "snapshot", s.is_called_first_with_nothing_kept_for_intake, o.has_a_snapshot, HEAD_REFUSED),
    Row("prepare", "s3:PutObject", "snapshot", s.is_called_first_with_nothing_kept_for_intake, o.has_a_snapshot),
    Row("prepare", "secretsmanager:GetSecretValue", ANYTHING, s.is_called_first, o.works),
]  # fmt: skip


class NotShown(NamedTuple):
    """Rights of these functions whose absence breaks no story on the emulator, and why.

    `whose` and `why` are the words of the documentation, which lists them too.
    """

    whose: str
    functions: str
    actions: tuple[str, ...]
    targets: str
    why: str

    @property
    def line(self) -> str:
        """Its row in docs/explanation/what-the-emulator-cannot-prove.md, but for the last column."""
        return f"| {self.whose} | {', '.join(f'`{action}`' for action in self.actions)} | {self.why}"

    def covers(self, right: Right) -> bool:
        """Whether it is about this right."""
        return (
            bool(re.fullmatch(self.functions, right.function) and re.fullmatch(self.targets, right.target))
            and right.action in self.actions
        )


NOT_SHOWN = [
    NotShown("Each worker, for its own queue", "|".join(QUEUES),
             ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"), LIVE,
             "Lambda uses them in the function's name; the emulator reads the queue as itself"),
    NotShown("`intake`, `web`, `relay`, `prepare`, for the bucket", "intake|web|relay|prepare", ("s3:ListBucket",), "bucket",
             "without it S3 says of a missing object that it is forbidden; the emulator says that it is missing"),
    NotShown("`web`, for the event sources", "web", ("lambda:UpdateEventSourceMapping",), ANYTHING,
             "to pause a queue and let it go on; the emulator asks nobody who does that"),
    NotShown("`relay`, `audit`, for `schedules-dead`", "relay|audit", ("sqs:SendMessage",), "schedules-dead",
             "Lambda sends there what a scheduled call could not do; the emulator does so as itself"),
    NotShown("`notifications`", "notifications", ("ses:SendRawEmail",), ANYTHING,
             "SES asks for it besides `ses:SendEmail` when a mail is given whole; the emulator does not"),
    NotShown("`orders`, for `functions` and `deliveries`", "orders", ("sqs:SendMessage",), "functions|deliveries",
             "the standard pipeline's first state calls and announces nobody; another's may"),
    NotShown("`orders`, for `quality-alerts`", "orders", ("sns:Publish",), "quality-alerts",
             "the standard pipeline's first state alerts nobody; another's may"),
    NotShown("`payments`, for `notifications`", "payments", ("sns:Publish",), "notifications",
             "money must arrive for an order that was just cancelled; nobody is quick enough"),
    NotShown("`audit`, for `notifications`", "audit", ("sns:Publish",), "notifications",
             "a mail's message must be lost, which only somebody who deletes rows could bring about"),
]  # fmt: skip

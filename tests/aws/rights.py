"""Every right of every function's role: the story that breaks without it, or why the emulator cannot show that."""

from __future__ import annotations

import re
from typing import NamedTuple

from dealerflow.adapters.aws.names import QUEUES
from tests.aws import right_stories as s
from tests.aws.right_stories import Story
from tests.aws.roles import Right

DEAD = r".+-dead"
LIVE = r"(?!.*-dead).+"
ANYTHING = r".*"


class Row(NamedTuple):
    """A right and the story that needs it. `targets`: what it is for, as an expression. `says`: what a function then logs."""

    function: str
    action: str
    targets: str
    story: Story
    says: str = ""

    @property
    def id(self) -> str:
        """For the test's name."""
        return f"{self.function}-{self.action}-{re.sub(r'[^a-z]+', '-', self.targets).strip('-')}"

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

SHOWN = [
    # --- intake
    Row("intake", "sqs:SendMessage", "orders", s.a_customer_orders),
    Row("intake", "dynamodb:PutItem", ANYTHING, s.a_customer_orders_with_a_key),
    Row("intake", "dynamodb:UpdateItem", ANYTHING, s.a_customer_orders_with_a_key),
    Row("intake", "dynamodb:GetItem", ANYTHING, s.a_customer_asks_what_became_of_an_order),
    Row("intake", "s3:GetObject", "snapshot", s.a_customer_orders_what_this_catalogue_does_not_have),
    Row("intake", "secretsmanager:GetSecretValue", ANYTHING, s.starts),
    # --- web
    Row("web", "dynamodb:PutItem", ANYTHING, s.a_customer_orders_with_a_key),
    Row("web", "dynamodb:UpdateItem", ANYTHING, s.a_customer_orders_with_a_key),
    Row("web", "dynamodb:GetItem", ANYTHING, s.a_customer_asks_what_became_of_an_order),
    Row("web", "s3:GetObject", "snapshot", s.a_customer_orders_what_this_catalogue_does_not_have),
    Row("web", "secretsmanager:GetSecretValue", ANYTHING, s.starts),
    Row("web", "sqs:GetQueueAttributes", LIVE, s.an_operator_looks_at_the_queues),
    Row("web", "sqs:GetQueueAttributes", DEAD, s.an_operator_redrives),
    Row("web", "sqs:ReceiveMessage", DEAD, s.an_operator_redrives),
    Row("web", "sqs:DeleteMessage", DEAD, s.an_operator_redrives),
    Row("web", "sqs:ChangeMessageVisibility", DEAD, s.an_operator_redrives),
    *(Row("web", "sqs:SendMessage", queue, s.forwards(queue)) for queue in FORWARDED),
    Row("web", "sns:Publish", "notifications", s.forwards("notifications")),
    Row("web", "sns:Publish", "quality-alerts", s.forwards_an_alert),
    Row("web", "events:PutEvents", ANYTHING, s.forwards_an_event),
    # --- queues
    *(Row(queue, "sqs:ChangeMessageVisibility", queue, s.a_message_fails) for queue in QUEUES),
    *(Row(queue, "sqs:SendMessage", f"{queue}-dead", s.a_message_fails_for_the_last_time) for queue in QUEUES),
    Row("orders", "sqs:SendMessage", "executions", s.a_customer_orders),
    Row("orders", "sqs:SendMessage", "events", s.a_customer_orders),
    Row("orders", "sns:Publish", "notifications", s.a_customer_orders),
    Row("decisions", "states:SendTaskSuccess", ANYTHING, s.the_dealership_accepts),
    Row("update-status", "sqs:SendMessage", "events", s.the_dealership_accepts),
    Row("update-status", "sns:Publish", "notifications", s.the_dealership_accepts),
    Row("update-status", "sqs:SendMessage", "functions", s.the_car_passes_its_check),
    Row("update-status", "sqs:SendMessage", "deliveries", s.the_car_passes_its_check),
    Row("update-status", "sns:Publish", "quality-alerts", s.the_car_fails_its_check),
    Row("update-status", "states:SendTaskFailure", ANYTHING, s.an_execution_is_superseded),
    Row("update-status", "sqs:SendMessage", "decisions-dead", s.a_move_fails_for_the_last_time),
    Row("update-status", "sqs:SendMessage", "executions", s.a_move_fails_for_the_last_time),
    Row("executions", "states:StartExecution", ANYTHING, s.a_customer_orders),
    Row("executions", "states:StopExecution", ANYTHING, s.a_state_machine_is_replaced),
    Row("payments", "sqs:SendMessage", "invoices", s.the_customer_pays),
    Row("payments", "sqs:SendMessage", "events", s.the_customer_pays),
    Row("invoices", "sqs:SendMessage", "events", s.the_customer_pays),
    Row("invoices", "sns:Publish", "notifications", s.the_customer_pays),
    Row("deliveries", "sqs:SendMessage", "events", s.a_car_is_announced),
    Row("deliveries", "sns:Publish", "notifications", s.a_load_departs),
    Row("notifications", "sns:Publish", "notifications", s.an_alert_is_passed_on),
    Row("notifications", "sqs:SendMessage", "deliveries", s.an_alert_is_passed_on),
    Row("notifications", "sqs:SendMessage", "webhooks", s.an_alert_is_passed_on),
    Row("notifications", "ses:SendEmail", ANYTHING, s.the_dealership_accepts),
    Row("notifications", "secretsmanager:GetSecretValue", ANYTHING, s.a_mail_is_due),
    Row("events", "sqs:SendMessage", "webhooks", s.a_car_is_announced),
    Row("events", "events:PutEvents", ANYTHING, s.a_car_is_announced),
    Row("functions", "sqs:SendMessage", "events", s.its_function_is_called),
    # --- schedules, and what is called by hand
    *(Row("relay", "sqs:SendMessage", queue, s.forwards(queue)) for queue in FORWARDED),
    Row("relay", "sns:Publish", "notifications", s.forwards("notifications")),
    Row("relay", "sns:Publish", "quality-alerts", s.forwards_an_alert),
    Row("relay", "events:PutEvents", ANYTHING, s.forwards_an_event),
    Row("relay", "sqs:SendMessage", r"(?!schedules).+-dead", s.finds_what_no_service_takes),
    Row("relay", "sqs:GetQueueAttributes", DEAD, s.finds_what_sqs_gave_up),
    Row("relay", "sqs:ReceiveMessage", DEAD, s.finds_what_sqs_gave_up),
    Row("relay", "sqs:DeleteMessage", DEAD, s.finds_what_sqs_gave_up),
    Row("relay", "sqs:ChangeMessageVisibility", DEAD, s.finds_what_sqs_gave_up),
    Row("relay", "s3:GetObject", "snapshot", s.is_prepared_for_the_first_time, HEAD_REFUSED),
    Row("relay", "s3:PutObject", "snapshot", s.is_prepared_for_the_first_time),
    Row("relay", "secretsmanager:GetSecretValue", ANYTHING, s.starts),
    Row("audit", "states:DescribeExecution", ANYTHING, s.audits),
    Row("audit", "sqs:SendMessage", "executions", s.audits_after_a_state_machine_was_lost),
    Row("prepare", "s3:GetObject", "snapshot", s.is_prepared_for_the_first_time, HEAD_REFUSED),
    Row("prepare", "s3:PutObject", "snapshot", s.is_prepared_for_the_first_time),
    Row("prepare", "secretsmanager:GetSecretValue", ANYTHING, s.starts),
]  # fmt: skip


class NotShown(NamedTuple):
    """Rights of these functions whose absence breaks no story on the emulator, and why."""

    functions: str
    actions: str
    targets: str
    why: str

    def covers(self, right: Right) -> bool:
        """Whether it is about this right."""
        expressions = (self.functions, self.actions, self.targets)
        return all(
            re.fullmatch(expression, part) for expression, part in zip(expressions, right, strict=True)
        )


QUEUE_WORKERS = "|".join(QUEUES)
NOT_SHOWN = [
    NotShown(QUEUE_WORKERS, "sqs:(ReceiveMessage|DeleteMessage|GetQueueAttributes)", LIVE,
             "Lambda uses them in the function's name to read its queue; the emulator reads it as itself"),
    NotShown("intake|web|relay|prepare", "s3:ListBucket", "bucket",
             "without it S3 says of a missing object that it is forbidden; the emulator says that it is missing"),
    NotShown("web", "lambda:UpdateEventSourceMapping", ANYTHING,
             "to pause a queue and let it go on; the emulator asks nobody who does that"),
    NotShown("relay|audit", "sqs:SendMessage", "schedules-dead",
             "Lambda sends there what a scheduled call could not do; the emulator does so as itself"),
    NotShown("notifications", "ses:SendRawEmail", ANYTHING,
             "SES asks for it besides SendEmail when a mail is given whole; the emulator asks for SendEmail alone"),
    NotShown("orders", "sqs:SendMessage|sns:Publish", "functions|deliveries|quality-alerts",
             "the first state of the standard pipeline calls, announces and alerts nobody; another pipeline's may"),
    NotShown("payments", "sns:Publish", "notifications",
             "a payment that arrives after its order was cancelled asks the dealership to give it back; nobody is quick enough"),
    NotShown("audit", "sns:Publish", "notifications",
             "the repair of a mail whose message is lost, which only somebody who deletes rows could bring about"),
]  # fmt: skip

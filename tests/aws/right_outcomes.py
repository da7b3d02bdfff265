"""What must come of a story in `right_stories`, and does not while a right is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from dealerflow.adapters.aws.names import SNAPSHOT_KEY
from dealerflow.adapters.database.outbox import OUTSIDE
from dealerflow.domain.messages import Envelope
from tests.aws.right_stories import Posted, kept_keys, mailed_notes
from tests.aws.site import Answer, Lying, Site
from tests.stories.driver import Order

Outcome = Callable[[Site, Any], bool]
"""Whether it has come of the story, given what that was about."""

LISTENER = "listener"  # the queue of a rule for the bus


def answered(status: int) -> Outcome:
    """It was answered like this."""
    return lambda _, posted: posted.status == status


def no_order_is_kept_with_the_key(site: Site, posted: Posted) -> bool:
    """It is in SQS, so it is a customer's data that need not lie there."""
    new = [item for key, item in kept_keys(site).items() if key not in posted.before]
    return bool(new) and not any("message" in item for item in new)


def happened(type_: str) -> Outcome:
    """It is told to everybody that this happened to the order."""

    def has(site: Site, order: Order) -> bool:
        told = site.people.head.reads("/events", after=0, limit=200, order=order.id)["items"]
        return any(event["type"] == type_ for event in told)

    return has


def mailed(template: str) -> Outcome:
    """This mail about the order was sent."""

    def has(site: Site, order: Order) -> bool:
        return (template, "sent") in {(mail["template"], mail["status"]) for mail in site.people.mails(order)}

    return has


def a_note_is_mailed(site: Site, before: int) -> bool:
    """One more than before."""
    return mailed_notes(site) > before


def stands_in(state: str) -> Outcome:
    """The order does."""
    return lambda _, order: bool(order.state == state)


def posted_to(path: str) -> Outcome:
    """The webhook was told of the order."""
    return lambda site, order: bool(site.subscriber.heard(path, order.id))


def heard_on_the_bus(site: Site, order: Order) -> bool:
    """Who listens to the bus was told of the order."""
    return site.heard(LISTENER, order.id)


def executions(*statuses: str) -> Outcome:
    """These are those of the order's executions, the first one first."""
    return lambda site, order: site.installation.statuses_of(order.id) == list(statuses)


def execution_succeeded(site: Site, arn: str) -> bool:
    """It ended as it must."""
    found = site.emulator.client("stepfunctions").describe_execution(executionArn=arn)
    return bool(found["status"] == "SUCCEEDED")


def is_forwarded(site: Site, envelope: Envelope) -> bool:
    """It is in other hands, or done."""
    row = site.row(envelope)
    return row is None or row.owner == OUTSIDE


def is_tried_again(site: Site, envelope: Envelope) -> bool:
    """After it failed once."""
    return bool(site.row(envelope).attempts > 1)


def one_lies_there(site: Site, physical: str) -> bool:
    """In this queue, and everybody can see it."""
    return site.lying(physical) == Lying(visible=1, hidden=0)


def lies_in(physical: str) -> Outcome:
    """A copy of it does."""
    return lambda site, _: one_lies_there(site, physical)


def works(_: Site, answer: Answer) -> bool:
    """The call did not fail."""
    return not answer.failed


def has_a_snapshot(site: Site, bucket: str) -> bool:
    """What can be ordered is kept for intake."""
    try:
        site.emulator.client("s3").head_object(Bucket=bucket, Key=SNAPSHOT_KEY)
    except ClientError:
        return False
    return True

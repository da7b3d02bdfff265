"""Who gets what is published to a topic: roles and addresses by mail, URLs by webhook, queues by message."""

from __future__ import annotations

import pytest

from dealerflow.adapters.database import tables as t
from dealerflow.application.reference_files import put_subscription, remove_subscription
from dealerflow.domain.errors import Invalid
from tests.unit.application.conftest import DEALER, LINE, PRODUCTION, QUALITY, Dealerflow

TOPIC = "quality-alerts"
URL = "https://plant.example/alerts"


def fail_quality(dealerflow: Dealerflow) -> str:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    dealerflow.decide(PRODUCTION, id_, "start_production", line="A")
    dealerflow.decide(LINE, id_, "finish")
    dealerflow.decide(QUALITY, id_, "fail", defects=["gap"])
    return id_


def subscribe(dealerflow: Dealerflow, kind: str, target: str) -> bool:
    with dealerflow.database.begin() as work:
        return put_subscription(work, TOPIC, kind, target, secret="whsec_c2VjcmV0")


def test_a_url_gets_the_failure_once_and_nothing_else(dealerflow: Dealerflow) -> None:
    assert subscribe(dealerflow, "url", URL)
    assert not subscribe(dealerflow, "url", URL), "the first secret stays in use"
    id_ = fail_quality(dealerflow)
    assert [(post.webhook.url, post.event.state, post.event.order) for post in dealerflow.postbox.posted] == [
        (URL, "quality_failed", id_)
    ]


def test_a_url_that_was_unsubscribed_gets_nothing(dealerflow: Dealerflow) -> None:
    subscribe(dealerflow, "url", URL)
    with dealerflow.database.begin() as work:
        remove_subscription(work, TOPIC, "url", URL)
    fail_quality(dealerflow)
    assert dealerflow.postbox.posted == []


def test_an_address_and_a_queue_are_told_beside_the_heads_of_operations(dealerflow: Dealerflow) -> None:
    subscribe(dealerflow, "address", "works@plant.example")
    subscribe(dealerflow, "queue", "shop-floor")
    id_ = fail_quality(dealerflow)
    assert dealerflow.mails_of(id_).count("quality_failed") == 3
    told = [row for row in dealerflow.rows(t.events) if row["type"] == "CarAnnounced"]
    assert [row["details"] for row in told] == ['{"queue":"shop-floor"}']


def test_a_url_that_cannot_be_posted_to_is_refused(dealerflow: Dealerflow) -> None:
    with pytest.raises(Invalid, match="/target"):
        subscribe(dealerflow, "url", "https://user:password@plant.example")

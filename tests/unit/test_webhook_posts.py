from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import httpx
import pytest

from dealerflow.adapters.outside.payment import TestCard
from dealerflow.adapters.outside.webhooks import SignedPosts
from dealerflow.application.happenings import WebhookRequest
from dealerflow.application.records import Webhook, WebhookDelivery
from dealerflow.composition.testing import NOON, StillClock
from dealerflow.domain.events import Event

KEY = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def request(url: str, dealership: str = "northside") -> WebhookRequest:
    webhook = Webhook(
        id="whk_1", dealership=dealership, url=url, event_types=(), secret=SECRET, active=True, created_at=0
    )
    event = Event(
        id="evt_1",
        type="OrderMoved",
        at=NOON + 7,
        order="ord_1",
        dealership="northside",
        state="ended",
        position=9,
    )
    delivery = WebhookDelivery(id="whd_1", webhook="whk_1", event="evt_1", status="queued", at=NOON)
    return WebhookRequest(delivery=delivery, webhook=webhook, event=event)


class Subscriber:
    """A subscriber's server, and a name service that points every name at `address`."""

    def __init__(
        self, *address: str, answer: Callable[[httpx.Request], httpx.Response] | None = None
    ) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer or (lambda _: httpx.Response(204))
        self._address = address

    def posts(self, *, private: bool = False) -> SignedPosts:
        return SignedPosts(
            clock=StillClock(),
            private_for_dealerships=private,
            resolve=lambda _host, _port: self._address,
            transport=httpx.MockTransport(self._take),
        )

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answer(request)


PUBLIC = "93.184.215.14"


def test_an_event_is_posted_as_a_signed_cloud_event() -> None:
    subscriber = Subscriber(PUBLIC)
    assert subscriber.posts().post(request("https://cars.example:8443/hook?a=1")) == (204, None)
    (asked,) = subscriber.asked
    body = json.loads(asked.content)
    assert body == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "/dealerflow",
        "type": "dealerflow.OrderMoved",
        "time": "2026-09-21T14:13:20.007Z",
        "datacontenttype": "application/json",
        "subject": "ord_1",
        "data": {"dealership": "northside", "order": "ord_1", "state": "ended", "details": {}, "position": 9},
    }
    assert asked.headers["webhook-id"] == "evt_1"
    assert asked.headers["webhook-timestamp"] == str(NOON // 1000)
    signed = b"evt_1." + str(NOON // 1000).encode() + b"." + asked.content
    right = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert asked.headers["webhook-signature"] == f"v1,{right}"


def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    subscriber = Subscriber(PUBLIC)
    subscriber.posts().post(request("https://cars.example:8443/hook?a=1"))
    (asked,) = subscriber.asked
    assert str(asked.url) == f"https://{PUBLIC}:8443/hook?a=1"
    assert asked.headers["host"] == "cars.example:8443"
    assert asked.extensions["sni_hostname"] == "cars.example"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "224.0.0.1",
        "fec0::1",
        "::127.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b:1::a00:1",
    ],
)
def test_a_dealership_reaches_no_address_that_is_not_public(address: str) -> None:
    subscriber = Subscriber(address)
    status, error = subscriber.posts().post(request("http://intranet.example/"))
    assert status is None
    assert error is not None
    assert "not a public address" in error
    assert subscriber.asked == []


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    subscriber = Subscriber(PUBLIC, "10.0.0.1")
    assert subscriber.posts().post(request("http://cars.example/"))[0] is None


def test_the_factory_may_post_to_its_own_network() -> None:
    assert Subscriber("10.1.2.3").posts().post(request("http://erp.example/", dealership="")) == (204, None)


def test_a_setting_lets_dealerships_post_to_private_addresses() -> None:
    assert Subscriber("127.0.0.1").posts(private=True).post(request("http://localhost:9000/")) == (204, None)


def test_a_redirect_is_an_answer_like_any_other_and_not_followed() -> None:
    subscriber = Subscriber(
        PUBLIC, answer=lambda _: httpx.Response(302, headers={"Location": "http://127.0.0.1/"})
    )
    assert subscriber.posts().post(request("http://cars.example/")) == (302, "redirects are not followed")
    assert len(subscriber.asked) == 1


@pytest.mark.parametrize(
    "url", ["ftp://cars.example/", "http://", "cars.example", "http://[::", "javascript:alert(1)"]
)
def test_a_url_that_is_none_is_told_and_raises_nothing(url: str) -> None:
    status, error = Subscriber(PUBLIC).posts().post(request(url))
    assert status is None
    assert error


def test_a_server_that_does_not_answer_is_told_and_raises_nothing() -> None:
    def silent(asked: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=asked)

    assert Subscriber(PUBLIC, answer=silent).posts().post(request("http://cars.example/")) == (
        None,
        "ReadTimeout: too slow",
    )


def test_the_test_card_is_charged_once_for_a_key() -> None:
    card = TestCard()
    assert card.charge("pay_1", "test_card", 100, "EUR") == card.charge("pay_1", "test_card", 100, "EUR")
    assert card.charge("pay_1", "test_card", 100, "EUR").declined is None
    assert card.charge("pay_1", "gold", 100, "EUR").declined == "there is no payment method gold"

from __future__ import annotations

from typing import Any

import pytest

from tests.web.api.life import API, placed
from tests.web.harness import Client

HOOK = {"url": "https://hooks.example.com/cars", "event_types": ["OrderPlaced"]}


def subscribed(client: Client, **changes: Any) -> dict[str, Any]:
    answer = client.post(f"{API}/webhooks", {**HOOK, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def listed(client: Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"{API}/webhooks").json()["items"]
    return items


def test_a_subscribed_url_is_told_what_happens(everywhere: Client) -> None:
    anyone, operator = everywhere, everywhere.as_("operator")
    hook = subscribed(operator)
    assert hook["secret"].startswith("whsec_")
    assert (hook["dealership"], hook["active"]) == (None, True)
    (shown,) = listed(operator)
    assert "secret" not in shown  # once only
    order = placed(anyone)
    (posted,) = anyone.system.postbox.posted
    assert (posted.event.type, posted.event.order) == ("OrderPlaced", order["id"])
    assert posted.webhook.secret == hook["secret"]
    (delivery,) = operator.get(f"{API}/webhooks/{hook['id']}/deliveries").json()["items"]
    assert (delivery["status"], delivery["response"], delivery["type"]) == ("delivered", 204, "OrderPlaced")


def test_what_could_not_be_delivered_is_logged_and_sent_again(anyone: Client) -> None:
    operator, postbox = anyone.as_("operator"), anyone.system.postbox
    hook = subscribed(operator)
    postbox.answer = 500
    placed(anyone)
    path = f"{API}/webhooks/{hook['id']}/deliveries"
    (failed,) = operator.get(f"{path}?status=failed").json()["items"]
    assert (failed["response"], failed["error"]) == (500, "answered 500")
    assert operator.get(f"{path}?status=delivered").json()["items"] == []
    assert operator.get(f"{path}?status=lost").status_code == 400
    postbox.answer = 200
    again = operator.post(f"{path}/{failed['id']}/resend")
    assert (again.status_code, again.json()["status"], again.json()["type"]) == (202, "queued", "OrderPlaced")
    assert operator.post(f"{path}/{failed['id']}/resend").status_code == 409  # on its way already
    anyone.system.process()
    (delivered,) = operator.get(path).json()["items"]
    assert (delivered["status"], delivered["response"]) == ("delivered", 200)
    assert operator.post(f"{path}/whd_unknown/resend").status_code == 404


def test_deliveries_come_in_pages_newest_first(anyone: Client) -> None:
    operator = anyone.as_("operator")
    hook = subscribed(operator)
    for _ in range(3):
        placed(anyone)
    path = f"{API}/webhooks/{hook['id']}/deliveries"
    every = operator.get(path).json()["items"]
    first = operator.get(f"{path}?limit=2").json()
    rest = operator.get(f"{path}?limit=2&cursor={first['next']}").json()
    assert first["items"] + rest["items"] == every
    assert [one["id"] for one in every] == sorted((one["id"] for one in every), reverse=True)


def test_an_ended_subscription_is_told_nothing(anyone: Client) -> None:
    operator = anyone.as_("operator")
    hook = subscribed(operator)
    path = f"{API}/webhooks/{hook['id']}"
    assert operator.http.delete(path, headers=operator.headers).status_code == 204
    placed(anyone)
    assert anyone.system.postbox.posted == []
    assert listed(operator) == []
    assert operator.get(f"{path}/deliveries").json()["items"] == []
    assert operator.http.delete(f"{API}/webhooks/whk_unknown", headers=operator.headers).status_code == 404


@pytest.mark.parametrize(
    ("form", "pointers"),
    [
        ({}, {"/url"}),
        ({"url": "ftp://example.com"}, {"/url"}),
        ({"url": "https://user:pass@example.com"}, {"/url"}),
        ({"url": "https:///path"}, {"/url"}),
        ({"url": "https://example.com:port"}, {"/url"}),
        ({"url": "https://exa mple.com", "dealership": "nowhere"}, {"/url", "/dealership"}),
        ({**HOOK, "event_types": ["not a type", 1]}, {"/event_types/0", "/event_types/1"}),
        ({**HOOK, "event_types": ["OrderMoved", "OrderMoved"]}, {"/event_types/1"}),
        ({**HOOK, "secret": "mine"}, {"/secret"}),
    ],
)
def test_a_wrong_subscription_is_refused_with_every_fault(
    anyone: Client, form: Any, pointers: set[str]
) -> None:
    answer = anyone.as_("operator").post(f"{API}/webhooks", form)
    assert answer.status_code == 422, answer.text
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers


def test_a_dealership_manages_its_own(anyone: Client) -> None:
    harbour, operator = anyone.as_("dealer@harbour"), anyone.as_("operator")
    mine = subscribed(harbour, event_types=[])
    assert mine["dealership"] == "harbour"
    factory = subscribed(operator)
    subscribed(operator, dealership="northside")
    assert [one["id"] for one in listed(harbour)] == [mine["id"]]
    assert len(listed(operator)) == 3
    assert harbour.post(f"{API}/webhooks", {**HOOK, "dealership": "northside"}).status_code == 422
    assert harbour.get(f"{API}/webhooks/{factory['id']}/deliveries").status_code == 404
    gone = harbour.http.delete(f"{API}/webhooks/{factory['id']}", headers=harbour.headers)
    assert gone.status_code == 404
    placed(anyone)
    placed(anyone, dealership="harbour")
    told = [
        request.event.dealership
        for request in anyone.system.postbox.posted
        if request.webhook.id == mine["id"]
    ]
    assert set(told) == {"harbour"}


def test_there_are_only_so_many(anyone: Client) -> None:
    operator = anyone.as_("operator")
    for _ in range(20):
        subscribed(operator)
    assert operator.post(f"{API}/webhooks", HOOK).status_code == 409


def test_webhooks_are_managed_by_operators_and_administrators(anyone: Client) -> None:
    for who, status in (
        (None, 401),
        ("line-a", 403),
        ("production", 403),
        ("head1", 403),
        ("admin", 200),
    ):
        assert anyone.as_(who).get(f"{API}/webhooks").status_code == status, who
    for who, status in ((None, 401), ("quality", 403), ("admin", 201)):
        assert anyone.as_(who).post(f"{API}/webhooks", HOOK).status_code == status, who

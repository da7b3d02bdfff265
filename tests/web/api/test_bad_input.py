from __future__ import annotations

from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.web.api.life import API, placed
from tests.web.harness import Client

LISTS = {
    "orders": ("state", "dealership", "line", "model", "load", "q", "sort", "limit", "cursor"),
    "loads": ("status", "limit", "cursor"),
    "delivery-notes": ("load", "dealership", "cursor"),
    "events": ("after", "type", "order", "limit", "cursor"),
    "dealerships": ("limit", "cursor"),
    "webhooks": ("limit", "cursor"),
}
ANY_BYTES = some.binary(max_size=12).map(quote) | some.text(max_size=12).map(
    lambda text: quote(text.encode(errors="surrogatepass"))
)
POSTED = (
    "orders/{id}/decisions",
    "orders/{id}/payments",
    "payments/{id}/refund",
    "loads",
    "loads/{id}/departure",
    "quote",
    "webhooks",
)
ANY_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(("outcome", "step", "details", "orders", "vehicle", "url", "amount", "x")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(data=some.data())
def test_whatever_is_asked_of_a_list_is_answered(everywhere: Client, data: some.DataObject) -> None:
    name = data.draw(some.sampled_from(sorted(LISTS)))
    asked = data.draw(some.dictionaries(some.sampled_from(LISTS[name]), ANY_BYTES, max_size=3))
    query = "&".join(f"{key}={value}" for key, value in asked.items())
    answer = everywhere.as_("delivery" if name in ("loads", "delivery-notes") else "admin").get(
        f"{API}/{name}?{query}"
    )
    assert answer.status_code in (200, 400), (query, answer.text)


@SETTINGS
@given(data=some.data())
def test_whatever_is_posted_is_refused_with_a_problem(everywhere: Client, data: some.DataObject) -> None:
    path = data.draw(some.sampled_from(POSTED)).format(id=data.draw(ANY_BYTES.filter(bool)))
    value = data.draw(ANY_JSON)
    try:
        body = msgspec.json.encode(value)
    except UnicodeEncodeError:
        return  # half of a surrogate pair cannot be sent
    who = "delivery" if path.startswith("loads") else "admin"
    answer = everywhere.as_(who).post(f"{API}/{path}", body)
    assert answer.status_code < 500, (path, body, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("id_", ["%00", "%ED%A0%80", "%FF", "..%2F", "'", "%22", "%F0%9F%92%99", "x" * 500])
def test_an_id_that_nobody_has_is_not_found(everywhere: Client, id_: str) -> None:
    for path in (
        "orders/{}",
        "orders/{}/invoice",
        "documents/{}",
        "loads/{}",
        "delivery-notes/{}",
        "webhooks/{}/deliveries",
    ):
        answer = everywhere.as_("admin").get(f"{API}/{path.format(id_)}")
        assert answer.status_code in (400, 404), (path, answer.text)


def test_a_key_that_is_no_key_is_not_found(everywhere: Client) -> None:
    order = placed(everywhere)
    for key in ("%FF", "%ED%A0%80", "0.", ".", "9" * 40 + ".x", "💙"):
        answer = everywhere.get(f"{API}/orders/{order['id']}?key={key}")
        assert answer.status_code in (400, 404), key

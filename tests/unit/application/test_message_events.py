"""Messages as CloudEvents: what goes out comes back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealerflow.application.message_events import from_cloud_event, to_cloud_event
from dealerflow.domain.errors import Malformed
from dealerflow.domain.messages import Envelope, MoveOrder, SendMail, Unreadable

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
envelopes = st.builds(
    Envelope,
    id=text,
    queue=text,
    message=st.one_of(
        st.builds(SendMail, mail=text),
        st.builds(
            MoveOrder, order=text, step=text, outcome=text, by=text, details=st.dictionaries(text, text)
        ),
    ),
    group=text,
    order=st.none() | text,
    sent_at=st.integers(0, 4_000_000_000_000),
    trace=st.none() | text,
)


@given(envelopes)
def test_an_envelope_comes_back_as_it_went(envelope: Envelope) -> None:
    assert from_cloud_event(to_cloud_event(envelope)) == envelope
    assert from_cloud_event(to_cloud_event(envelope).decode()) == envelope


def test_a_message_is_a_cloud_event() -> None:
    envelope = Envelope(
        id="msg_1",
        queue="decisions",
        message=MoveOrder(order="ord_1", step="stp_1", outcome="accept", by="acc_1"),
        group="northside",
        order="ord_1",
        sent_at=1_769_860_800_000,
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    assert msgspec.json.decode(to_cloud_event(envelope)) == {
        "specversion": "1.0",
        "id": "msg_1",
        "source": "/dealerflow",
        "type": "dealerflow.command.MoveOrder",
        "time": "2026-01-31T12:00:00.000Z",
        "subject": "ord_1",
        "datacontenttype": "application/json",
        "queue": "decisions",
        "group": "northside",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": {
            "type": "MoveOrder",
            "order": "ord_1",
            "step": "stp_1",
            "outcome": "accept",
            "by": "acc_1",
            "details": {},
        },
    }


def test_names_of_attributes_are_those_that_the_standard_allows() -> None:
    envelope = Envelope(id="msg_1", queue="orders", message=SendMail(mail="mail_1"), group="g", trace="t")
    names = msgspec.json.decode(to_cloud_event(envelope))
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in names)


def test_a_message_of_another_version_keeps_its_envelope_and_is_unreadable() -> None:
    envelope = Envelope(id="msg_1", queue="notifications", message=SendMail(mail="mail_1"), order="ord_1")
    read = from_cloud_event(to_cloud_event(envelope).replace(b"SendMail", b"SendFax"))
    assert isinstance(read.message, Unreadable)
    assert (read.id, read.queue, read.order) == ("msg_1", "notifications", "ord_1")


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"id": "msg_1"}', "[" * 5000, "\ud800"])
def test_what_is_no_message_is_told_so(body: str) -> None:
    with pytest.raises(Malformed):
        from_cloud_event(body)


@pytest.mark.parametrize("where", ["id", "queue", "group", "order", "trace"])
def test_what_no_database_can_store_is_no_message_of_ours(where: str) -> None:
    fields: dict[str, Any] = {
        "id": "msg_1",
        "queue": "orders",
        "message": SendMail(mail="mail_1"),
        where: "a\0b",
    }
    with pytest.raises(Malformed, match="U\\+0000"):
        from_cloud_event(to_cloud_event(Envelope(**fields)))

"""What every `Mailer` keeps, told over each of them. Where they may differ is declared in `Post`, not looked up by type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dealerflow.application.letters import (
    Attachment,
    Rejected,
)
from dealerflow.domain.errors import Invalid, Outage
from tests.contract.mailers import MAILERS, REFUSED, Post, mail


@pytest.fixture(params=MAILERS)
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Post]:
    if request.param == "ses":
        request.getfixturevalue("aws")
    with MAILERS[request.param](tmp_path) as made:
        yield made


def test_a_mail_arrives_as_it_was_written(post: Post) -> None:
    written = mail(
        reply_to="Northside <sales@northside.example>",
        subject="Tu pedido está aceptado — 43.250,00 €",
        attachments=(
            Attachment(
                name="NORTHSIDE-2026-000001.pdf", content_type="application/pdf", content=b"%PDF\x00\r\n\xff"
            ),
            Attachment(name="albarán ñ.csv", content_type="text/csv", content="a;ñ\r\n".encode()),
        ),
    )
    post.mailer.send(written)
    assert post.delivered() == [post.seen(written)]


def test_a_mail_without_html_arrives_as_plain_text(post: Post) -> None:
    written = mail(html="")
    post.mailer.send(written)
    assert post.delivered() == [post.seen(written)]


def test_many_mails_arrive_once_each_and_in_order(post: Post) -> None:
    written = [mail(number) for number in range(250)]
    for one in written:
        post.mailer.send(one)
    assert post.delivered() == [post.seen(one) for one in written]


def test_the_same_message_id_twice_is_harmless(post: Post) -> None:
    post.mailer.send(mail(1))
    post.mailer.send(mail(1))
    post.mailer.send(mail(2))

    first, second = post.seen(mail(1)), post.seen(mail(2))
    assert post.delivered() == ([first, second] if post.keeps_one_of_a_repeat else [first, first, second])


def test_a_breakdown_is_an_outage_and_what_is_sent_again_after_it_arrives(post: Post) -> None:
    post.mailer.send(mail(1))
    post.break_down()
    for _ in range(2):
        with pytest.raises(Outage):
            post.mailer.send(mail(2))
    post.repair()
    post.mailer.send(mail(2))
    assert post.delivered() == [post.seen(mail(1)), post.seen(mail(2))]


def test_a_breakdown_from_the_start_is_an_outage_too(post: Post) -> None:
    post.break_down()
    with pytest.raises(Outage):
        post.mailer.send(mail(1))
    post.repair()
    post.mailer.send(mail(1))
    assert post.delivered() == [post.seen(mail(1))]


def test_a_mail_refused_for_good_is_rejected_and_harms_no_other(post: Post) -> None:
    if not post.refuses_addresses:
        post.mailer.send(mail(1, to=REFUSED))
        assert post.delivered() == [mail(1, to=REFUSED)]
        return
    with pytest.raises(Rejected, match=post.refusal):
        post.mailer.send(mail(1, to=REFUSED))
    post.mailer.send(mail(2))
    assert post.delivered() == [post.seen(mail(2))]


@pytest.mark.parametrize(
    ("address", "arrives_at"),
    [
        ("ana@münchen.example", "ana@xn--mnchen-3ya.example"),
        ("josé@cars.example", "josé@cars.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_international_addresses_are_reached(post: Post, address: str, arrives_at: str) -> None:
    if not (post.takes_international or address.rpartition("@")[0].isascii()):
        with pytest.raises(Rejected, match="international"):
            post.mailer.send(mail(to=address))
        return
    post.mailer.send(mail(to=address))
    assert [one.to for one in post.delivered()] in ([address], [arrives_at])


# Mail that cannot be written at all


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "Hello\r\nBcc: all@cars.example"),
        ("subject", "Hello\nX-Evil: 1"),
        ("subject", "nul\x00"),
        ("subject", "line\u2028separator"),
        ("to", "ana@cars.example\r\nBcc: all@cars.example"),
        ("to", "ana@cars.example, bob@cars.example"),
        ("to", "Ana <ana@cars.example>"),
        ("to", "ana"),
        ("to", ""),
        ("to", "a" * 250 + "@cars.example"),
        ("to", "<ana@cars.example> SIZE=1"),
        ("sender", "Northside <a@b>\nX: y <c@d>"),
        ("sender", "Northside"),
        ("sender", "<a@cars.example> <b@cars.example>"),
        ("reply_to", "all\n<a@cars.example>"),
        ("message_id", "<mail_1@dealerflow.example>"),
        ("message_id", "../mail_1@dealerflow.example"),
        ("message_id", "mail_1@dealerflow.example\n"),
        ("message_id", "mail_1"),
        ("message_id", "m" * 300 + "@dealerflow.example"),
    ],
)
def test_a_header_that_would_break_is_refused_and_named(field: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        mail(**{field: value})
    assert [fault.pointer for fault in refused.value.faults] == [f"/{field}"]


@pytest.mark.parametrize(
    ("name", "kind"), [("a\nb.pdf", "application/pdf"), ("a.pdf", "application/pdf\nX: y")]
)
def test_an_attachment_that_would_break_a_header_is_refused(name: str, kind: str) -> None:
    with pytest.raises(Invalid):
        mail(attachments=(Attachment(name=name, content_type=kind, content=b""),))


def test_a_domain_that_cannot_exist_is_rejected(post: Post) -> None:
    if not post.needs_a_domain:
        post.mailer.send(mail(to="ana@-ñ-.example"))
        return
    with pytest.raises(Rejected, match="no domain"):
        post.mailer.send(mail(to="ana@-ñ-.example"))
    assert post.delivered() == []

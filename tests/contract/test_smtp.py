"""What SMTP keeps besides what every mailer does (test_mailer.py)."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import aiosmtpd.smtp as smtp_protocol
import msgspec
import pytest
import trustme
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from dealerflow.adapters.embedded.smtp import MAX_IDLE_SECONDS, MAX_MAILS_PER_CONNECTION, Smtp, parse_smtp_url
from dealerflow.application.letters import (
    PutOff,
    Rejected,
)
from dealerflow.domain.errors import Invalid, Outage
from tests.contract.mailers import BUSY, Mailbox, mail, mailbox


@pytest.fixture
def server() -> Iterator[Mailbox]:
    with mailbox() as made:
        yield made


def smtp(server: Mailbox, **options: Any) -> Any:
    return closing(Smtp(f"smtp://127.0.0.1:{server.port}", timeout_seconds=5, **options))


def test_a_mailbox_that_is_full_puts_off_its_own_mail_and_no_other(server: Mailbox) -> None:
    with smtp(server) as mailer:
        with pytest.raises(PutOff, match=r"452 4\.2\.2 mailbox full"):
            mailer.send(mail(1, to=BUSY))
        mailer.send(mail(2))
    assert server.taken == [mail(2)]
    assert server.connections == 1


@pytest.mark.parametrize("answer", ["451 4.3.0 try later", "421 4.3.2 closing", "550 5.7.1 not you"])
def test_a_server_that_does_not_take_our_mail_is_an_outage(server: Mailbox, answer: str) -> None:
    server.says_to_senders = answer
    with smtp(server) as mailer:
        with pytest.raises(Outage, match=answer[:3]):
            mailer.send(mail(1))
        server.says_to_senders = None
        mailer.send(mail(2))
    assert server.taken == [mail(2)]


def test_a_mail_that_is_too_large_is_rejected(server: Mailbox) -> None:
    server.says_to_senders = "552 5.3.4 message too big"
    with smtp(server) as mailer, pytest.raises(Rejected, match="552"):
        mailer.send(mail(1))


def test_who_stops_does_not_wait_for_a_server_that_has_frozen(server: Mailbox) -> None:
    mailer = Smtp(f"smtp://127.0.0.1:{server.port}", timeout_seconds=60)
    server.freezes = True
    sending = threading.Thread(target=lambda: suppressed(mailer), daemon=True)
    sending.start()
    assert server.frozen.wait(30)
    closing_it = threading.Thread(target=mailer.close, daemon=True)
    closing_it.start()
    closing_it.join(10)
    assert not closing_it.is_alive()
    server.hang_up()


def suppressed(mailer: Smtp) -> None:
    with suppress(Outage):
        mailer.send(mail(1))


def test_one_connection_serves_many_mails_but_not_without_end(server: Mailbox) -> None:
    with smtp(server) as mailer:
        for number in range(MAX_MAILS_PER_CONNECTION):
            mailer.send(mail(number))
        assert server.connections == 1
        mailer.send(mail(1_000))
        assert server.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_trusted(server: Mailbox) -> None:
    now = [0.0]
    with smtp(server, clock=lambda: now[0]) as mailer:
        mailer.send(mail(1))
        now[0] += MAX_IDLE_SECONDS
        mailer.send(mail(2))
        assert server.connections == 1
        now[0] += MAX_IDLE_SECONDS + 0.1
        mailer.send(mail(3))
        assert server.connections == 2


def test_a_connection_that_the_server_closed_is_opened_again(server: Mailbox) -> None:
    with smtp(server) as mailer:
        mailer.send(mail(1))
        server.hang_up()
        mailer.send(mail(2))
    assert server.taken == [mail(1), mail(2)]


def test_a_lost_answer_is_an_outage_and_the_repeat_has_the_same_message_id(server: Mailbox) -> None:
    server.hang_up_on = "ana@cars.example"
    with smtp(server) as mailer:
        with pytest.raises(Outage):
            mailer.send(mail(1))
        assert server.taken == [mail(1)]  # not sent again behind the queue's back
        server.hang_up_on = None
        mailer.send(mail(1))
    assert [one.message_id for one in server.taken] == [mail(1).message_id] * 2


def test_the_envelope_has_bare_addresses_as_dns_knows_them(server: Mailbox) -> None:
    with smtp(server) as mailer:
        mailer.send(mail(1, to="ana@münchen.example", sender="Ñandú <no-reply@straße.example>"))
    assert server.envelopes == [("no-reply@xn--strae-oqa.example", "ana@xn--mnchen-3ya.example")]


def test_a_line_with_a_single_dot_ends_no_mail(server: Mailbox) -> None:
    text = "one\n.\nRCPT TO:<all@cars.example>\n..two\n"
    with smtp(server) as mailer:
        mailer.send(mail(1, text=text, html=""))
    assert [one.text for one in server.taken] == [text]


def test_a_server_without_smtputf8_rejects_only_who_needs_it() -> None:
    with mailbox(enable_SMTPUTF8=False) as server, smtp(server) as mailer:
        with pytest.raises(Rejected, match="international"):
            mailer.send(mail(1, to="josé@cars.example"))
        mailer.send(mail(2))
    assert server.taken == [mail(2)]


def test_a_mail_too_large_for_the_server_is_rejected() -> None:
    with mailbox(data_size_limit=2_000) as server, smtp(server) as mailer:
        with pytest.raises(Rejected, match="552"):
            mailer.send(mail(1, text="x" * 5_000))
        mailer.send(mail(2))
    assert server.taken == [mail(2)]


def test_threads_share_one_connection_without_mixing_mails(server: Mailbox) -> None:
    with smtp(server) as mailer:
        threads = [threading.Thread(target=mailer.send, args=(mail(number),)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(one.message_id for one in server.taken) == [mail(number).message_id for number in range(20)]
    assert server.connections == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def log_in(
    server: smtp_protocol.SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    known = isinstance(data, LoginPassword) and data.login == b"us/er" and data.password == b"p@ss:word"
    return AuthResult(success=known, handled=False)


LOG_IN: dict[str, Any] = {"authenticator": log_in, "auth_required": True}


# The server's library warns of a log-in without its own TLS: here TLS is around it, or the test is of a wrong log-in.
warned = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@warned
def test_a_mail_goes_through_tls_with_a_log_in(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    with mailbox(implicit_tls=server_tls, auth_require_tls=False, **LOG_IN) as server:
        url = f"smtps://us%2Fer:p%40ss%3Aword@127.0.0.1:{server.port}"
        with closing(Smtp(url, tls=client_tls, timeout_seconds=5)) as mailer:
            mailer.send(mail(1))
    assert server.taken == [mail(1)]


def test_a_mail_goes_through_starttls_with_a_log_in(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    with mailbox(tls_context=server_tls, require_starttls=True, **LOG_IN) as server:
        url = f"smtp+starttls://us%2Fer:p%40ss%3Aword@127.0.0.1:{server.port}"
        with closing(Smtp(url, tls=client_tls, timeout_seconds=5)) as mailer:
            mailer.send(mail(1))
    assert server.taken == [mail(1)]


def test_a_certificate_that_is_not_trusted_is_an_outage(server_tls: ssl.SSLContext) -> None:
    with (
        mailbox(implicit_tls=server_tls) as server,
        closing(Smtp(f"smtps://127.0.0.1:{server.port}", timeout_seconds=5)) as mailer,
        pytest.raises(Outage, match=r"(?i)certificate"),
    ):
        mailer.send(mail(1))
    assert server.taken == []


def test_a_server_without_starttls_is_never_spoken_to_in_the_clear(server: Mailbox) -> None:
    url = f"smtp+starttls://127.0.0.1:{server.port}"
    with closing(Smtp(url, timeout_seconds=5)) as mailer, pytest.raises(Outage, match="STARTTLS"):
        mailer.send(mail(1))
    assert server.taken == []


@warned
@pytest.mark.parametrize("log_in_part", ["", "us%2Fer:wrong@"])
def test_a_wrong_log_in_is_an_outage_because_no_mail_is_at_fault(log_in_part: str) -> None:
    with mailbox(auth_require_tls=False, **LOG_IN) as server:
        url = f"smtp://{log_in_part}127.0.0.1:{server.port}"
        with (
            closing(Smtp(url, timeout_seconds=5)) as mailer,
            pytest.raises(Outage, match=r"53[05]") as outage,
        ):
            mailer.send(mail(1))
    assert "wrong" not in str(outage.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 25, "none", "", "")),
        ("smtps://mail.example/", ("mail.example", 465, "tls", "", "")),
        ("smtp+starttls://u:p%40%3A@mail.example", ("mail.example", 587, "starttls", "u", "p@:")),
        ("smtp://u%40x@[::1]:2525", ("::1", 2525, "none", "u@x", "")),
    ],
)
def test_a_server_is_named_by_a_url(url: str, expected: tuple[str, int, str, str, str]) -> None:
    assert msgspec.structs.astuple(parse_smtp_url(url)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:secret",
        "http://u:secret@mail.example",
        "smtp://",
        "smtp://u:secret@",
        "smtp://u:secret@mail.example:x",
        "smtp://u:secret@mail.example:99999",
        "smtp://u:secret@mail.example/path",
        "smtp://[u:secret@mail",
    ],
)
def test_a_wrong_url_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(Invalid, match="/SMTP_URL") as refused:
        Smtp(url)
    assert "secret" not in str(refused.value)


def test_a_password_is_in_no_representation() -> None:
    assert "secret" not in repr(parse_smtp_url("smtp://u:secret@mail.example"))

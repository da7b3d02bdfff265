"""What every `Mailer` keeps, told over each of them. Where they may differ is declared in `Post`, not looked up by type."""

from __future__ import annotations

import asyncio
import errno
import re
import resource
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtpd.smtp as smtp_protocol
import msgspec
import pytest
import trustme
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import EndpointConnectionError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.mail import HEADER, TAG, Ses
from dealerflow.adapters.embedded.mail import Maildir, file_name, read_maildir
from dealerflow.adapters.embedded.smtp import MAX_IDLE_SECONDS, MAX_MAILS_PER_CONNECTION, Smtp, parse_smtp_url
from dealerflow.adapters.memory.mail import MemoryMailer
from dealerflow.adapters.mime import message_bytes, parse_message
from dealerflow.application.letters import (
    Attachment,
    Mailer,
    OutgoingMail,
    PutOff,
    Rejected,
    is_address,
    split_address,
)
from dealerflow.domain.errors import Invalid, Outage
from tests.ministack import ACCOUNT, REGION, MiniStack

REFUSED = "nobody@cars.example"
BUSY = "busy@cars.example"


def mail(number: int = 1, /, **changes: Any) -> OutgoingMail:
    written = OutgoingMail(
        message_id=f"mail_{number:06}@dealerflow.example",
        to="ana@cars.example",
        sender="Northside <no-reply@dealerflow.example>",
        subject=f"Your order ord_{number} is accepted",
        text="Hello Zoë,\n\nyour order is accepted: 43.250,00 €.\n",
        html="<p>Hello Zoë, your order is accepted: 43.250,00 €.</p>\n",
        at=1_769_860_800_000,
    )
    return msgspec.structs.replace(written, **changes)


class Mailbox:
    """A mail server on a free port of this machine, in its own thread, with its own log of what it took."""

    def __init__(self, **options: Any) -> None:
        self.taken: list[OutgoingMail] = []
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, str]] = []
        self.connections = 0
        self.port = 0
        self.hang_up_on: str | None = None
        self.says_to_senders: str | None = None
        self.freezes = False
        self.frozen = threading.Event()
        self._options = options
        self._server: asyncio.Server | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self,
        server: smtp_protocol.SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.freezes:
            self.frozen.set()
            await asyncio.sleep(60)
        if self.says_to_senders:
            return self.says_to_senders
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: smtp_protocol.SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if address == REFUSED:
            return "550 5.1.1 no such mailbox"
        if address == BUSY:
            return "452 4.2.2 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: smtp_protocol.SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.raw.append(content)
        self.taken.append(parse_message(content))
        self.envelopes.append((envelope.mail_from or "", envelope.rcpt_tos[0]))
        if self.hang_up_on == envelope.rcpt_tos[0]:
            self._hang_up()  # it has the mail, but the answer is lost
        return "250 OK"

    def start(self) -> None:
        """Listen, on the same port as before if it listened before."""
        self._run(self._start())

    def stop(self) -> None:
        """Stop listening and hang up. Once stopped this does nothing."""
        self._run(self._stop())

    def hang_up(self) -> None:
        """Close all connections without a word, and listen on."""
        self._run(self._async_hang_up())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _start(self) -> None:
        tls = self._options.get("implicit_tls")
        self._server = await self._loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def _protocol(self) -> smtp_protocol.SMTP:
        mailbox = self

        class Counted(smtp_protocol.SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                mailbox.connections += 1
                mailbox._transports.append(transport)
                super().connection_made(transport)

        options = {name: value for name, value in self._options.items() if name != "implicit_tls"}
        settings: dict[str, Any] = {
            "enable_SMTPUTF8": True,
            "hostname": "cars.example",
            "loop": self._loop,
        } | options
        return Counted(self, **settings)

    async def _async_hang_up(self) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        for transport in self._transports:
            transport.abort()  # type: ignore[attr-defined]
        self._transports.clear()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._hang_up()
            await self._server.wait_closed()
            self._server = None


@contextmanager
def mailbox(**options: Any) -> Iterator[Mailbox]:
    server = Mailbox(**options)
    try:
        server.start()
        yield server
    finally:
        server.close()


class Post(msgspec.Struct, kw_only=True):
    """One mailer with the eyes and hands of the test, and what it declares."""

    mailer: Mailer
    delivered: Callable[[], list[OutgoingMail]]  # the oldest first
    break_down: Callable[[], None]
    repair: Callable[[], None]
    keeps_one_of_a_repeat: bool
    refuses_addresses: bool
    refusal: str = r"nobody@cars\.example: 550"  # how it says so
    seen: Callable[[OutgoingMail], OutgoingMail] = (
        msgspec.structs.replace
    )  # what of a mail the test can see there
    takes_international: bool = True  # addresses with more than ASCII before the @
    needs_a_domain: bool  # the mailer itself turns the recipient's domain into the form of the DNS


@contextmanager
def memory_post(folder: Path) -> Iterator[Post]:
    mailer = MemoryMailer()
    mailer.refused.add(REFUSED)
    yield Post(
        mailer=mailer,
        delivered=lambda: mailer.mails,
        break_down=lambda: setattr(mailer, "is_down", True),
        repair=lambda: setattr(mailer, "is_down", False),
        keeps_one_of_a_repeat=True,
        refuses_addresses=True,
        needs_a_domain=False,
    )


@contextmanager
def maildir_post(folder: Path) -> Iterator[Post]:
    path, aside = folder / "mail", folder / "aside"

    def break_down() -> None:
        path.rename(aside) if path.exists() else aside.mkdir()
        path.write_text("a file where the folder should be")

    def repair() -> None:
        path.unlink()
        aside.rename(path)

    yield Post(
        mailer=Maildir(path),
        delivered=lambda: read_maildir(path)[::-1],
        break_down=break_down,
        repair=repair,
        keeps_one_of_a_repeat=True,
        refuses_addresses=False,
        needs_a_domain=True,
    )


@contextmanager
def smtp_post(folder: Path) -> Iterator[Post]:
    with mailbox() as server, closing(Smtp(f"smtp://127.0.0.1:{server.port}", timeout_seconds=5)) as mailer:
        yield Post(
            mailer=mailer,
            delivered=lambda: server.taken,
            break_down=server.stop,
            repair=server.start,
            keeps_one_of_a_repeat=False,
            refuses_addresses=True,
            needs_a_domain=True,
        )


class Refuses:
    """Stands on the line to SES: what it refuses there for good, and whether the line is cut."""

    def __init__(self, client: Any) -> None:
        self.is_cut = False
        client.meta.events.register("before-send", self._before)

    def _before(self, request: Any, **_: Any) -> AWSResponse | None:
        if self.is_cut:
            raise EndpointConnectionError(endpoint_url=request.url)
        if REFUSED.encode() in request.body:
            return refusal_of_ses("BadRequestException", "550 no such mailbox")
        return None


def refusal_of_ses(code: str, message: str) -> AWSResponse:
    """As SES says it."""
    body = msgspec.json.encode({"__type": code, "message": message})
    headers: Any = HeadersDict({"x-amzn-ErrorType": code, "Content-Type": "application/json"})
    answer = AWSResponse("", 400, headers, None)
    answer._content = body  # type: ignore[attr-defined]  # noqa: SLF001 - else it is read from a connection
    return answer


@contextmanager
def ses_post(folder: Path) -> Iterator[Post]:
    client = Clients(REGION, tries=1).ses
    client.create_email_identity(EmailIdentity="dealerflow.example")
    client.put_account_details(
        MailType="TRANSACTIONAL", WebsiteURL="https://dealerflow.example", ProductionAccessEnabled=True
    )
    line = Refuses(client)

    def shown(message: dict[str, Any]) -> OutgoingMail:
        return OutgoingMail(
            message_id="unseen@dealerflow.example",
            to=message["To"][0],
            sender=message["Source"],
            subject=message["Subject"],
            text=message["BodyText"].replace("\r\n", "\n"),
            html=(message["BodyHtml"] or "").replace("\r\n", "\n"),
            at=0,
        )

    def seen(mail: OutgoingMail) -> OutgoingMail:
        named = split_address(mail.sender)
        return msgspec.structs.replace(
            mail,
            message_id="unseen@dealerflow.example",
            sender=named[1] if named else "",
            reply_to=None,
            attachments=(),
            at=0,
        )

    def delivered() -> list[OutgoingMail]:
        with urllib.request.urlopen(f"{client.meta.endpoint_url}/_ministack/ses/messages") as answer:  # noqa: S310 - http, ours
            return [shown(each) for each in msgspec.json.decode(answer.read())["messages"].get(ACCOUNT, ())]

    yield Post(
        mailer=Ses(client),
        delivered=delivered,
        break_down=lambda: setattr(line, "is_cut", True),
        repair=lambda: setattr(line, "is_cut", False),
        keeps_one_of_a_repeat=False,
        refuses_addresses=True,
        refusal=r"nobody@cars\.example: BadRequestException 550",
        needs_a_domain=True,
        seen=seen,
        takes_international=False,
    )


MAILERS = {"memory": memory_post, "maildir": maildir_post, "smtp": smtp_post, "ses": ses_post}


@pytest.fixture(params=MAILERS)
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Post]:
    if request.param == "ses":
        request.getfixturevalue("aws")
    with MAILERS[request.param](tmp_path) as made:
        yield made


# What every mailer keeps


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


# How a mail is written


def message(one: OutgoingMail) -> EmailMessage:
    parsed = message_from_bytes(message_bytes(one), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_mail_carries_the_headers_that_machines_owe() -> None:
    headers = message(mail())
    assert headers["Message-ID"] == "<mail_000001@dealerflow.example>"
    assert headers["Date"] == "Sat, 31 Jan 2026 12:00:00 +0000"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["MIME-Version"] == "1.0"
    assert headers["From"] == "Northside <no-reply@dealerflow.example>"
    assert "Reply-To" not in headers


def test_text_and_html_are_alternatives_and_attachments_stand_beside_them() -> None:
    attachment = Attachment(name="a.pdf", content_type="application/pdf", content=b"%PDF")
    whole = message(mail(attachments=(attachment,)))
    assert whole.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in whole.walk()][1:] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]


def test_a_mail_is_ascii_with_short_lines_unless_an_address_needs_more() -> None:
    long = mail(subject="ñ" * 300, sender="Ñandú " * 12 + "<a@cars.example>", text="ñ" * 5_000 + "\n")
    wire = message_bytes(long, linesep="\r\n")
    assert wire.isascii()
    assert max(len(row) for row in wire.split(b"\r\n")) <= 998  # RFC 5322, 2.1.1
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert "josé@cars.example".encode() in message_bytes(mail(to="josé@cars.example"))


anything = st.characters(exclude_categories=["Cs"])
one_line = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85"), max_size=120
)
sender_name = st.text(
    st.characters(categories=("Lu", "Ll", "Nd"), include_characters=" .,'()&-"), min_size=1, max_size=60
)


@settings(max_examples=200, deadline=None)
@given(subject=one_line, name=sender_name, text=st.text(anything, max_size=300))
@example(subject="=?utf-8?q?Hi=0D=0ABcc:_all=40cars.example?=", name="=?utf-8?b?QQ==?=", text="")
@example(subject="ñ " * 40, name="Ñandú", text="a\n.\n..\n--x\nFrom me\n")
@example(subject='=?utf-8?q?x?= " <a@b>', name="Smith, J. (Sales) & Co", text="")
def test_what_is_written_can_be_read_back(subject: str, name: str, text: str) -> None:
    written = mail(
        subject=" ".join(subject.split()),
        sender=f"{' '.join(name.split()) or 'X'} <a@cars.example>",
        text=text,
    )
    read = parse_message(message_bytes(written, linesep="\r\n"))

    assert read.subject == written.subject
    assert read.sender == written.sender
    assert read.text.rstrip("\n") == re.sub(r"\r\n?", "\n", text).rstrip("\n")


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_an_address_is_never_more_than_one_header_word(text: str) -> None:
    if is_address(text):
        assert text.split() == [text]
        assert text.count("@") == 1
        assert not set(text) & set('<>,;:"\\()')


# The Maildir


def files_in(folder: Path) -> list[Path]:
    return sorted(path for part in ("tmp", "new", "cur") for path in (folder / part).iterdir())


@pytest.mark.parametrize("flags", ["", ":2,", ":2,RS"])
def test_a_mail_that_was_read_is_not_delivered_again(tmp_path: Path, flags: str) -> None:
    Maildir(tmp_path).send(mail(1))
    [file] = files_in(tmp_path)
    read = file.rename(tmp_path / "cur" / (file.name + flags))

    Maildir(tmp_path).send(mail(1))

    assert files_in(tmp_path) == [read]
    assert read_maildir(tmp_path) == [mail(1)]


def test_a_maildir_has_its_three_folders_and_is_nobody_elses_business(tmp_path: Path) -> None:
    Maildir(tmp_path / "a" / "mail").send(mail(1))
    [file] = files_in(tmp_path / "a" / "mail")
    assert file == tmp_path / "a" / "mail" / "new" / "mail_000001@dealerflow.example"
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"\r" not in file.read_bytes()


def test_a_repeat_changes_nothing_on_disk(tmp_path: Path) -> None:
    maildir = Maildir(tmp_path)
    maildir.send(mail(1))
    [file] = files_in(tmp_path)
    before = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)

    maildir.send(mail(1, subject="another"))

    assert files_in(tmp_path) == [file]
    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before


@contextmanager
def no_room_for_files_over(size: int) -> Iterator[None]:
    """The system refuses to let a file grow further, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_an_outage_that_leaves_nothing_behind(tmp_path: Path) -> None:
    maildir = Maildir(tmp_path)
    large = mail(1, text="x" * 50_000 + "\n")
    with no_room_for_files_over(10_000), pytest.raises(Outage) as outage:
        maildir.send(large)

    assert isinstance(outage.value.__cause__, OSError)
    assert outage.value.__cause__.errno == errno.EFBIG
    assert files_in(tmp_path) == []
    maildir.send(large)
    assert read_maildir(tmp_path) == [large]


def test_drafts_of_writers_that_died_are_cleared_after_a_day_and_a_half(tmp_path: Path) -> None:
    import os
    import time

    Maildir(tmp_path).send(mail(1))
    old, young = tmp_path / "tmp" / "1.old", tmp_path / "tmp" / "2.young"
    for draft in (old, young):
        draft.write_text("half a ma")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))

    Maildir(tmp_path).send(mail(2))

    assert not old.exists()
    assert young.exists()
    assert len(read_maildir(tmp_path)) == 2


def test_reading_gives_the_newest_first_and_leaves_out_what_is_no_mail_of_ours(tmp_path: Path) -> None:
    import os

    assert read_maildir(tmp_path / "not yet") == []
    maildir = Maildir(tmp_path)
    for number in range(5):
        maildir.send(mail(number))
        os.utime(tmp_path / "new" / file_name(mail(number).message_id), ns=(number, number))
    (tmp_path / "new" / "stranger").write_bytes(b"\xff\x00 no mail")
    (tmp_path / "cur" / "empty:2,S").write_bytes(b"")

    assert read_maildir(tmp_path) == [mail(number) for number in (4, 3, 2, 1, 0)]
    assert read_maildir(tmp_path, limit=2) == [mail(4), mail(3)]


@given(st.text(min_size=1, max_size=300))
def test_a_file_name_is_safe_whatever_the_message_id(message_id: str) -> None:
    name = file_name(message_id)
    assert name.isascii()
    assert len(name) <= 200
    assert not name.startswith(".")
    assert "/" not in name
    assert ":" not in name


# SMTP


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


# SES


class Ears:
    """Hears what is asked of SES, and answers in its place where told to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.says: AWSResponse | None = None
        self.client = Clients(REGION, tries=1).ses
        self.client.meta.events.register("before-parameter-build.sesv2.SendEmail", self._asked)
        self.client.meta.events.register("before-send", self._answer)

    def _answer(self, **_: Any) -> Any:
        return self.says

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(dict(params))


@pytest.fixture
def ears(aws: MiniStack) -> Ears:
    made = Ears()
    made.client.create_email_identity(EmailIdentity="dealerflow.example")
    made.client.put_account_details(
        MailType="TRANSACTIONAL", WebsiteURL="https://dealerflow.example", ProductionAccessEnabled=True
    )
    return made


def test_ses_gets_the_mail_that_the_others_send_and_our_id_beside_it(ears: Ears) -> None:
    plain = mail(1, to="ana@münchen.example", html="")
    Ses(ears.client, "letters").send(plain)
    [asked] = ears.asked
    ours = f"{HEADER}: <{plain.message_id}>\r\n".encode()
    assert asked["Content"]["Raw"]["Data"] == ours + message_bytes(plain, linesep="\r\n")
    assert asked["Destination"] == {"ToAddresses": ["ana@xn--mnchen-3ya.example"]}
    assert asked["EmailTags"] == [{"Name": TAG, "Value": "mail_000001@dealerflow.example"}]
    assert asked["ConfigurationSetName"] == "letters"


def test_a_tag_holds_only_what_ses_allows(ears: Ears) -> None:
    Ses(ears.client).send(mail(1, message_id="mail+1=x@dealerflow.example"))
    assert ears.asked[0]["EmailTags"][0]["Value"] == "mail_1_x@dealerflow.example"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SendingPausedException", "Email sending is disabled"),
        ("AccountSuspendedException", "The account's ability to send email has been permanently restricted"),
        ("LimitExceededException", "Daily message quota exceeded"),
        ("TooManyRequestsException", "Maximum sending rate exceeded"),
        ("MailFromDomainNotVerifiedException", "the MAIL FROM domain is not verified"),
        ("NotFoundException", "Configuration set <letters> does not exist"),
        ("MessageRejected", "Email address is not verified. The following identities failed the check"),
        ("AccessDeniedException", "not authorized to perform ses:SendEmail"),
    ],
)
def test_an_account_that_may_not_send_is_an_outage_because_no_mail_is_at_fault(
    ears: Ears, code: str, message: str
) -> None:
    ears.says = refusal_of_ses(code, message)
    with pytest.raises(Outage, match=code):
        Ses(ears.client).send(mail(1))
    ears.says = None
    Ses(ears.client).send(mail(1))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("BadRequestException", "Local address contains control or whitespace"),
        ("MessageRejected", "Email contains a virus"),
    ],
)
def test_a_mail_that_ses_refuses_is_rejected(ears: Ears, code: str, message: str) -> None:
    ears.says = refusal_of_ses(code, message)
    with pytest.raises(Rejected, match=f"ana@cars.example: {code} {message}"):
        Ses(ears.client).send(mail(1))


def test_a_sender_that_was_never_verified_is_an_outage_until_it_is(aws: MiniStack) -> None:
    client = Clients(REGION, tries=1).ses
    with pytest.raises(Outage, match="not verified"):
        Ses(client).send(mail(1))

"""The mailers as the tests have them, and a mail server that tells what it took."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiosmtpd.smtp as smtp_protocol
import msgspec
from aiosmtpd.smtp import Envelope, Session
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import EndpointConnectionError

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.mail import Ses
from dealerflow.adapters.embedded.mail import Maildir, read_maildir
from dealerflow.adapters.embedded.smtp import Smtp
from dealerflow.adapters.memory.mail import MemoryMailer
from dealerflow.adapters.mime import parse_message
from dealerflow.application.letters import (
    Mailer,
    OutgoingMail,
    split_address,
)
from tests.ministack import ACCOUNT, REGION

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

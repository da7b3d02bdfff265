"""Mail through an SMTP server.

One connection is kept and used again. Nothing is repeated here once a mail has begun to be sent: if the
answer to its last line is lost, nobody knows whether the server has it, and the queue sends it again with
the same Message-ID.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from dealerflow.adapters.mime import address_of, is_international, message_bytes
from dealerflow.application.letters import OutgoingMail, PutOff, Rejected
from dealerflow.domain.errors import Fault, Invalid, Outage

TIMEOUT_SECONDS = 30.0  # for each answer of the server
MAX_MAILS_PER_CONNECTION = 100  # what mail servers commonly allow
MAX_IDLE_SECONDS = 20.0  # a connection unused for longer may have been dropped on its way without a word
FOR_GOOD = range(500, 600)  # RFC 5321, 4.2.1: permanent negative completion
LATER = range(400, 500)  # transient negative completion
CLOSING = 421  # the server goes down, whatever it was asked
TOO_LARGE = 552  # RFC 1870, 6.1: the answer to a sender that says how large the mail is
NOT_LET_IN = frozenset({530, 534, 535, 538})  # RFC 4954, 6: our log-in is wrong, not the mail

Security = Literal["none", "tls", "starttls"]
SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("none", 25),
    "smtps": ("tls", 465),
    "smtp+starttls": ("starttls", 587),
}


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed over, and how."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"  # the password belongs in no log


def parse_smtp_url(url: str) -> SmtpServer:
    """`smtp://user:password@host:port`, `smtps://…` or `smtp+starttls://…`, percent-encoded.

    Raises Invalid, whose text never repeats the URL, because it holds a password.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise _bad_url("is no URL, or its port is no number up to 65535") from None
    if parts.scheme not in SCHEMES:
        raise _bad_url(f"must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if not host or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise _bad_url("must be like smtp+starttls://user:password@host:port")
    security, default_port = SCHEMES[parts.scheme]
    return SmtpServer(
        host=host,
        port=port or default_port,
        security=security,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _bad_url(detail: str) -> Invalid:
    return Invalid([Fault("/SMTP_URL", detail)])


class Smtp:
    """A `Mailer` through the server at `url` (see `parse_smtp_url`). Raises Invalid for a URL that is none.

    Threads may share it; their mails go one after another. `tls` is the trust in the server's certificate,
    the system's by default.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = parse_smtp_url(url)
        self._tls = tls or ssl.create_default_context()
        self._timeout = timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: smtplib.SMTP | None = None
        self._sent = 0
        self._used_at = 0.0

    def send(self, mail: OutgoingMail) -> None:
        """See `Mailer.send`."""
        content = message_bytes(mail, linesep="\r\n")
        options = ["SMTPUTF8"] if is_international(mail) else []
        with self._lock:
            connection = self._connected()
            try:
                connection.sendmail(address_of(mail.sender), [address_of(mail.to)], content, options)
            except smtplib.SMTPException as error:
                raise self._refusal(error, mail) from error
            except OSError as error:
                self._drop()
                raise _outage(self._server, error) from error
            self._sent += 1
            self._used_at = self._clock()

    def close(self) -> None:
        """Say goodbye to the server. The next mail connects anew. A mail that is just being sent is not waited for."""
        if self._lock.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._lock.release()

    def _connected(self) -> smtplib.SMTP:
        """The kept connection if it still answers, else a new one. Raises Outage."""
        if self._connection is not None and self._is_usable(self._connection):
            return self._connection
        self._drop()
        try:
            self._connection = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise _outage(self._server, error) from error
        self._sent, self._used_at = 0, self._clock()
        return self._connection

    def _is_usable(self, connection: smtplib.SMTP) -> bool:
        if self._sent >= MAX_MAILS_PER_CONNECTION or self._clock() - self._used_at > MAX_IDLE_SECONDS:
            return False
        try:
            return connection.noop()[0] == 250
        except OSError:
            return False

    def _connect(self) -> smtplib.SMTP:
        connection = self._greeted()
        try:
            if self._server.security == "starttls":
                connection.starttls(context=self._tls)
            if self._server.user:
                connection.login(self._server.user, self._server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _greeted(self) -> smtplib.SMTP:
        host, port, name = self._server.host, self._server.port, _own_name()
        if self._server.security == "tls":
            return smtplib.SMTP_SSL(host, port, name, timeout=self._timeout, context=self._tls)
        return smtplib.SMTP(host, port, name, timeout=self._timeout)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.quit()
            connection.close()

    def _refusal(self, error: smtplib.SMTPException, mail: OutgoingMail) -> Outage | Rejected | PutOff:
        code, answer = _answer(error)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return Rejected(f"The mail server cannot send to international addresses like {mail.to}.")
        # Every mail has the same sender: a server that does not like it refuses us, not this mail.
        is_about_us = isinstance(error, smtplib.SMTPSenderRefused) and code != TOO_LARGE
        if code in FOR_GOOD and code not in NOT_LET_IN and not is_about_us:
            return Rejected(f"The mail server refused the mail to {mail.to}: {code} {answer}")
        if isinstance(error, smtplib.SMTPRecipientsRefused) and code in LATER and code != CLOSING:
            return PutOff(f"The mail server puts off the mail to {mail.to}: {code} {answer}")
        self._drop()
        return _outage(self._server, error)


def _answer(error: smtplib.SMTPException) -> tuple[int, str]:
    """The server's code and words; (0, …) if it gave none."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return code, _decoded(words)
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, _decoded(error.smtp_error)
    return 0, str(error)


def _decoded(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _outage(server: SmtpServer, error: OSError) -> Outage:
    said = error.strerror or str(error)
    if isinstance(error, smtplib.SMTPException):
        code, words = _answer(error)
        said = f"{code} {words}" if code else words
    return Outage(f"The mail server {server.host}:{server.port} does not take mail now: {said}")


def _own_name() -> str:
    """Who we say we are (RFC 5321, 4.1.3), without a name service, which may take long to say no."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"

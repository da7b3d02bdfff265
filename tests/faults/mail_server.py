"""A mail server of the test's own, in this process, with its own log: the ledger that no killed process can touch."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.faults.served import free_port

HELD_AT_MOST_S = 60.0


@dataclass(frozen=True)
class Taken:
    """One mail that the server took."""

    message_id: str
    to: str
    subject: str

    @classmethod
    def from_mail(cls, mail: Message) -> Taken:
        return cls(str(mail["Message-ID"]), str(mail["To"]), str(mail["Subject"]))


class MailServer:
    """What it took (`taken`)."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self._holds_next = False
        self._ending = threading.Event()
        self._changed = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.url = f"smtp://127.0.0.1:{self._controller.port}"

    def hold_next(self) -> None:
        """The next mail is taken, and whoever sent it gets no answer."""
        self._holds_next = True

    def wait_for(self, count: int, message_id: str | None, seconds: float) -> bool:
        """Wait until so many mails (with this Message-ID) have arrived; False if they have not come in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count(message_id) >= count, seconds)

    def _count(self, message_id: str | None) -> int:
        return sum(message_id in (None, one.message_id) for one in self.taken)

    def ids(self) -> Counter[str]:
        """How often each Message-ID arrived."""
        return Counter(one.message_id for one in self.taken)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.content
        assert isinstance(content, bytes)
        with self._changed:
            self.taken.append(Taken.from_mail(message_from_bytes(content)))
            self._changed.notify_all()
        held, self._holds_next = self._holds_next, False
        if held:
            await asyncio.to_thread(self._ending.wait, HELD_AT_MOST_S)
        return "250 OK"

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        """As long as the block lasts."""
        self._controller.start()
        try:
            yield self
        finally:
            self._ending.set()
            self._controller.stop()

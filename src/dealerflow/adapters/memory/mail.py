"""Mail that stays in memory: for tests and the simulation."""

from __future__ import annotations

from dealerflow.application.letters import OutgoingMail, PutOff, Rejected
from dealerflow.domain.errors import Outage


class MemoryMailer:
    """A `Mailer`, and the `MailArchive` to it, that keeps one mail for each `message_id`, in the order in which they first came.

    While `is_down` every mail is an Outage; a mail to an address in `refused` is Rejected, one to an address in `full` is
    PutOff. `handed_over`
    counts repeats too.
    """

    def __init__(self) -> None:
        self.is_down = False
        self.refused: set[str] = set()
        self.full: set[str] = set()
        self.handed_over: list[str] = []
        self._mails: dict[str, OutgoingMail] = {}

    @property
    def mails(self) -> list[OutgoingMail]:
        """What was sent, the oldest first."""
        return list(self._mails.values())

    def send(self, mail: OutgoingMail) -> None:
        """See `Mailer.send`."""
        if self.is_down:
            raise Outage("The mail server is down.")
        if mail.to in self.refused:
            raise Rejected(f"The mail server refused the mail to {mail.to}: 550 no such mailbox")
        if mail.to in self.full:
            raise PutOff(f"The mail server puts off the mail to {mail.to}: 452 mailbox full")
        self.handed_over.append(mail.message_id)
        self._mails.setdefault(mail.message_id, mail)

    def find(self, message_id: str) -> OutgoingMail | None:
        """See `MailArchive.find`."""
        return self._mails.get(message_id)

"""The mails themselves, where they can be read again. A mail server keeps its own; a Maildir can be looked into."""

from __future__ import annotations

from typing import Protocol

from dealerflow.application.letters import OutgoingMail


class MailArchive(Protocol):
    """Reads what was handed over."""

    def find(self, message_id: str) -> OutgoingMail | None:
        """The mail with this Message-ID (without angle brackets), `at` in whole seconds; None if it is not kept here."""


class NoArchive:
    """Nothing is kept here: mails go to a mail server."""

    def find(self, message_id: str) -> OutgoingMail | None:
        """See `MailArchive.find`."""
        return None

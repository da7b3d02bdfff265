"""The mail log as an operator reads it: what was asked for, to whom it goes, and whether it was sent."""

from __future__ import annotations

from typing import Protocol

import msgspec


class LoggedMail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to one recipient. `at` in ms since the epoch, when it was asked for; `subject` None until it is written."""

    id: str
    to: str
    subject: str | None
    template: str
    status: str
    at: int
    order: str | None
    sent_at: int | None = None


class MailLog(Protocol):
    """Reads the mail log. Raises Outage when the database is away."""

    def page(self, *, order: str | None, limit: int, before: str | None) -> list[LoggedMail]:
        """The newest first, from the one before the mail with id `before` on.

        `order`: only those about the order of this id or short number.
        """

    def one(self, mail_id: str) -> LoggedMail | None: ...

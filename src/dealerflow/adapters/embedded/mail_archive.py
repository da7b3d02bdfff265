"""Looks a mail up in the Maildir to which it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dealerflow.adapters.embedded.mail import FLAGS, file_name
from dealerflow.adapters.mime import parse_message
from dealerflow.application.letters import OutgoingMail
from dealerflow.domain.errors import Invalid


class MaildirArchive:
    """Implements `application.mail_archive.MailArchive`. A Maildir that does not exist yet is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, message_id: str) -> OutgoingMail | None:
        """See `MailArchive.find`."""
        for file in self._places(file_name(message_id)):
            # A mail reader may move or delete it meanwhile; a file that is no mail of ours is none.
            with suppress(FileNotFoundError, Invalid, KeyError):
                return parse_message(file.read_bytes())
        return None

    def _places(self, name: str) -> Iterator[Path]:
        yield self._path / "new" / name
        # A mail reader that has shown it moves it to cur/ and appends flags.
        with suppress(FileNotFoundError):
            yield from (
                entry for entry in (self._path / "cur").iterdir() if entry.name.partition(FLAGS)[0] == name
            )

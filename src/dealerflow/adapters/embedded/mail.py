"""Mail into a Maildir: where it goes on one machine until a mail server is configured.

    write  ──>  tmp/<pid>.<random>  ──fsync──>  rename to  new/<from the Message-ID>  ──fsync──>  done

A crash before the rename leaves a file in tmp/ that nobody reads; one after it leaves the mail. Either way
a repeat is harmless, because the name in new/ follows from the Message-ID.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

from dealerflow.adapters.mime import message_bytes, parse_message
from dealerflow.application.letters import OutgoingMail
from dealerflow.domain.errors import Invalid, Outage

MAX_FILE_NAME_BYTES = 200  # most file systems take 255; mail readers append flags
STALE_AFTER_SECONDS = 36 * 3600  # Maildir's own rule: what is older in tmp/ is of a writer that died
FOLDERS = ("tmp", "new", "cur")
FLAGS = ":2,"  # what a mail reader puts behind the name of a mail that it has moved to cur/

_UNSAFE = re.compile(r"[^A-Za-z0-9._@+=-]")


class Maildir:
    """A `Mailer` into a Maildir that any mail reader can open. It keeps one mail for each `message_id`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ready = False

    def send(self, mail: OutgoingMail) -> None:
        """See `Mailer.send`."""
        content = message_bytes(mail)
        name = file_name(mail.message_id)
        try:
            if not self._ready:
                self._prepare()
            if not self._has(name):
                self._deliver(name, content)
        except OSError as error:
            self._ready = False  # the folders may be gone
            raise Outage(f"The mail folder {self._path} cannot be written: {error.strerror}.") from error

    def _prepare(self) -> None:
        for folder in FOLDERS:
            (self._path / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(self._path)
        oldest = time.time() - STALE_AFTER_SECONDS
        for file in (self._path / "tmp").iterdir():
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()
        self._ready = True

    def _has(self, name: str) -> bool:
        if (self._path / "new" / name).exists():
            return True
        with os.scandir(self._path / "cur") as entries:
            return any(entry.name.partition(FLAGS)[0] == name for entry in entries)

    def _deliver(self, name: str, content: bytes) -> None:
        draft = self._path / "tmp" / f"{os.getpid()}.{secrets.token_hex(8)}"
        try:
            _write_durably(draft, content)
            draft.rename(self._path / "new" / name)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(self._path / "new")


def file_name(message_id: str) -> str:
    """The file name for a Message-ID: itself where it is a safe name, else (or if it is long) its SHA-256."""
    if _UNSAFE.search(message_id) or message_id.startswith(".") or len(message_id) > MAX_FILE_NAME_BYTES:
        return hashlib.sha256(message_id.encode()).hexdigest()
    return message_id


def read_maildir(path: Path, limit: int | None = None) -> list[OutgoingMail]:
    """The mails in the Maildir, the newest first, `limit` at most.

    A file that is no mail of ours is left out. `at` of each is in whole seconds. A Maildir that does not
    exist yet is empty.
    """
    files: list[tuple[int, Path]] = []
    for folder in ("new", "cur"):
        with suppress(FileNotFoundError):
            for entry in os.scandir(path / folder):
                with suppress(FileNotFoundError):  # a mail reader may move it meanwhile
                    files.append((entry.stat().st_mtime_ns, Path(entry.path)))
    mails: list[OutgoingMail] = []
    for _, file in sorted(files, reverse=True):
        if limit is not None and len(mails) >= limit:
            break
        with suppress(FileNotFoundError, Invalid, KeyError):
            mails.append(parse_message(file.read_bytes()))
    return mails


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Make the names in a folder durable (a rename is on disk only then)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

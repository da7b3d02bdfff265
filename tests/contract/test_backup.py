"""A copy of a data directory while it is in use."""

from __future__ import annotations

from pathlib import Path

from dealerflow.adapters.embedded.backup import back_up
from dealerflow.adapters.embedded.mail import Maildir, read_maildir
from dealerflow.adapters.embedded.spool import SpoolWriter
from tests.contract.mailers import mail


def test_a_mail_that_is_delivered_while_the_folder_is_copied_does_not_spoil_the_backup(
    tmp_path: Path,
) -> None:
    data, target = tmp_path / "data", tmp_path / "backup"
    data.mkdir()
    spool = SpoolWriter(data / "intake.db")
    spool.open()
    spool.close()
    Maildir(data / "mail").send(mail(1))
    # What was listed, and moved on before it was opened: to open it fails just as this does.
    for folder in ("tmp", "new"):
        (data / "mail" / folder / "moved.on").symlink_to(tmp_path / "gone")
    back_up(data, target)
    assert read_maildir(target / "mail") == [mail(1)]

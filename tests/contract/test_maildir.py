"""What the Maildir keeps besides what every mailer does (test_mailer.py)."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealerflow.adapters.embedded.mail import Maildir, file_name, read_maildir
from dealerflow.domain.errors import Outage
from tests.contract.mailers import mail


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

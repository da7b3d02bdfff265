"""The demo's data: three dealerships, a factory with two lines, a catalogue, and people who can log in."""

from __future__ import annotations

from importlib import resources

import msgspec

from dealerflow.application import reference_files as files
from dealerflow.application.access import PasswordHasher
from dealerflow.application.import_files import Rows, read_rows
from dealerflow.application.work import UnitOfWork

PASSWORD = "demo"  # noqa: S105 - on a loopback address, for everybody to know
LEAST_PASSWORD = len(PASSWORD)


class DemoAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the demo, as it is shown to whoever starts it."""

    email: str
    name: str
    memberships: list[dict[str, str | None]]


def load(work: UnitOfWork, hasher: PasswordHasher) -> bool:
    """Load the demo's data into an installation that has no data yet. False, and nothing changes, if this
    one has.
    """
    if work.reference.catalogue() is not None or work.reference.dealerships():
        return False
    # All have the same password, and hashing one is slow on purpose: they share a hash.
    password_hash = hasher.hash(PASSWORD)
    files.put_catalogue(work, _read("catalogue.json"))
    files.put_dealerships(work, _rows("dealerships.json"))
    files.put_lines(work, _rows("lines.json"))
    files.put_defect_codes(work, _rows("defects.json"))
    files.put_accounts(work, _rows("accounts.json"), lambda _: password_hash, least_password=LEAST_PASSWORD)
    return True


def accounts() -> list[DemoAccount]:
    """The demo's accounts, in the order of the file."""
    return msgspec.json.decode(_read("accounts.json"), type=list[DemoAccount])


def _read(name: str) -> bytes:
    return resources.files(__name__).joinpath(name).read_bytes()


def _rows(name: str) -> Rows:
    return read_rows(_read(name), name, {})

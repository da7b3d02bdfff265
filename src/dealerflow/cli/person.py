"""Who sits at the command line: whoever can read the data directory administers the installation."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dealerflow.domain.people import Caller


def name() -> str:
    """How the history notes what was done here."""
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):  # a user without a name
        return "command line"


def administrator() -> Caller:
    """The caller as whom commands read and change things."""
    from dealerflow.domain.people import Account, Caller, Membership

    account = Account(id=name(), email="", name=name(), memberships=(Membership(role="admin"),))
    return Caller(account=account)

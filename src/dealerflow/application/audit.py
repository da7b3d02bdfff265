"""The audit: does everything that was accepted have what belongs to it? Work that still waits is pending, no fault.

An auditor only reads; `repair` puts right what it safely can: work that is neither done nor queued is queued again (the handlers
do nothing twice), a decision whose message is gone is given back to the people who decide.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it must be. `check` names the rule, `subject` the id it is about."""

    check: str
    subject: str
    detail: str
    repairable: bool = False
    repaired: bool = False


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """The auditor's verdict. `checked` counts what was looked at, `pending` what still waits, by check."""

    faults: tuple[Finding, ...]
    pending: dict[str, int]
    checked: dict[str, int]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong (any more)."""
        return all(fault.repaired for fault in self.faults)


class Auditor(Protocol):
    """Reconciles what was accepted with what was done."""

    def audit(self, *, repair: bool = False) -> AuditReport:
        """Look at everything, in one consistent view. Raises Outage."""

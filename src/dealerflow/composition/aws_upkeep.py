"""What is done on a schedule on AWS, and once at each deployment."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

import msgspec

from dealerflow.adapters.aws.intake import SqsSpool
from dealerflow.adapters.database import schema
from dealerflow.adapters.database.intake_feed import SqlIntakeFeed
from dealerflow.adapters.database.sessions import SqlAccess
from dealerflow.application import queues
from dealerflow.application.access import Access
from dealerflow.application.audit import AuditReport
from dealerflow.application.import_files import Rows
from dealerflow.application.reference import standard_data
from dealerflow.application.reference_files import put_accounts
from dealerflow.application.upkeep import Upkeep
from dealerflow.application.work import UnitOfWork
from dealerflow.composition.aws import AwsSystem
from dealerflow.domain.errors import DealerflowError, Invalid, Outage
from dealerflow.domain.intake import Snapshot

log = logging.getLogger(__name__)

MINUTE_MS = 60_000
STUCK_MS = 15 * MINUTE_MS
NOT_PREPARED = "the database is not prepared: call prepare"


class _NoTaker:
    """Intake runs in other functions: here only its snapshot is brought up to date."""

    snapshot: Snapshot | None = None
    trouble: str | None = None


def upkeep_of(system: AwsSystem) -> Upkeep:
    """Brings the snapshot in S3 up to date, and forgets what is over."""
    access = Access(
        secret=system.secret,
        store=SqlAccess(system.engine),
        hasher=system.hasher,
        clock=system.clock,
        random_id=lambda: secrets.token_urlsafe(32),
    )
    return Upkeep(
        intake=_NoTaker(),
        spool=SqsSpool(system.clients, system.names),
        feed=SqlIntakeFeed(system.database),
        access=access,
        clock=system.clock,
    )


class Relayed(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the relay came to."""

    forwarded: int
    trouble: str | None = None


class NothingLeaves(DealerflowError):
    """Messages have waited long in the database and cannot be forwarded: a part of the installation is missing or forbidden."""


class RelayRun:
    """One run of the schedule. What it keeps between runs saves work, nothing depends on it."""

    def __init__(self, system: AwsSystem) -> None:
        self._system = system
        self._upkeep = upkeep_of(system)
        self._prepared = False

    def __call__(self, is_time_up: Callable[[], bool] = lambda: False) -> Relayed:
        """Look after intake, forward what is due, look into the dead letters, as far as there is time.

        An outage is no failure, nor is time that is up: the next run is near. Raises NothingLeaves, which its alarm sees:
        no queue on AWS tells how old a message is that never reached it. The schedule begins with the deployment, so until
        `prepare` is called there is nothing to do, and nothing wrong.
        """
        if self._waits_for_prepare():
            log.warning(NOT_PREPARED)
            return Relayed(forwarded=0, trouble=NOT_PREPARED)
        relayed = self._relayed(is_time_up)
        if stuck := self._stuck():
            told = ", ".join(f"{queue} ({count})" for queue, count in sorted(stuck.items()))
            raise NothingLeaves(
                f"messages for {told} have waited for more than {STUCK_MS // MINUTE_MS} minutes"
            )
        return relayed

    def _waits_for_prepare(self) -> bool:
        try:
            self._prepared = self._prepared or _is_prepared(self._system)
        except Outage:  # which is told below
            return False
        return not self._prepared

    def _stuck(self) -> dict[str, int]:
        try:
            return self._system.outbox.stuck(since=self._system.clock.now() - STUCK_MS)
        except Outage:  # the database: everything that needs it is late, and its alarms say so
            return {}

    def _relayed(self, is_time_up: Callable[[], bool]) -> Relayed:
        self._upkeep.step()
        try:
            forwarded = self._system.scheduled_relay.step(is_time_up)
            self._system.undertaker.step(is_time_up)
        except Outage as outage:
            log.warning("nothing can be forwarded now: %s", outage)
            return Relayed(forwarded=0, trouble=str(outage))
        return Relayed(forwarded=forwarded, trouble=self._upkeep.database_trouble)


def _is_prepared(system: AwsSystem) -> bool:
    return schema.revision(system.engine) is not None


class SomethingIsWrong(DealerflowError):
    """What the audit found; each fault stands in the log."""


def audit(system: AwsSystem, *, repair: bool = False) -> AuditReport:
    """Compare what was promised with what was done. Raises SomethingIsWrong, which its alarm sees; and Outage."""
    if not _is_prepared(system):
        log.warning(NOT_PREPARED)
        return AuditReport(faults=(), pending={}, checked={})
    report = system.auditor.audit(repair=repair)
    wrong = [fault for fault in report.faults if not fault.repaired]
    for fault in wrong:
        log.error("%s: %s: %s", fault.check, fault.subject, fault.detail)
    if wrong:
        raise SomethingIsWrong(f"{len(wrong)} things are not as they must be; the log names them")
    return report


class Prepare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the function `prepare` is asked for. `admin`: the e-mail address of the first administrator."""

    admin: str | None = None
    name: str = "Administrator"


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What it did. `pipeline`: the version that new orders follow. `password` is told once, here; whoever logs in changes it."""

    revision: str
    migrated: bool
    begun: bool
    pipeline: str
    admin: str | None = None
    password: str | None = None


def prepare(system: AwsSystem, asked: Prepare) -> Prepared:
    """Migrate the database, keep the pipeline, give a new installation what it begins with, and make the first administrator.

    It may be called again at any time, and is at each deployment. Raises Outage, Invalid (a second "first" administrator).
    """
    migrated = schema.upgrade(system.engine)
    system.pipelines.store(system.clock.now())
    with system.database.begin() as work:
        begun = standard_data(work)
        lines = {dealership.delivery_line for dealership in work.reference.dealerships()}
        password = _first_admin(system, work, asked) if asked.admin else None
    _declare(system, lines)
    upkeep_of(system).step()
    return Prepared(
        revision=schema.HEAD,
        migrated=migrated,
        begun=begun,
        pipeline=system.pipeline.id,
        admin=asked.admin if password else None,
        password=password,
    )


def _first_admin(system: AwsSystem, work: UnitOfWork, asked: Prepare) -> str:
    if any(held.role == "admin" for account in work.reference.accounts() for held in account.memberships):
        raise Invalid(
            [],
            "there is an administrator already; accounts are made by administrators from now on. "
            "Is the password lost? dealerflow accounts password EMAIL, through the tunnel, sets another",
        )
    password = secrets.token_urlsafe(15)
    form = {
        "email": asked.admin,
        "name": asked.name,
        "password": password,
        "memberships": [{"role": role} for role in ("admin", "operator")],
    }
    put_accounts(work, Rows(values=[form]), system.hasher.hash)
    return password


def _declare(system: AwsSystem, delivery_lines: set[str]) -> None:
    needed = {*queues.POLICIES, *queues.OUTSIDE, *map(queues.deliveries, delivery_lines)}
    if missing := needed - set(system.store.queues()):
        system.store.declare(sorted(missing))

"""The web process of one machine: the application over an open spool."""

from __future__ import annotations

import threading

from dealerflow.adapters.database.intake_feed import SqlIntakeFeed
from dealerflow.adapters.database.mail_log import SqlMailLog
from dealerflow.adapters.database.queries import SqlQueries
from dealerflow.adapters.database.sessions import SqlAccess
from dealerflow.adapters.embedded.mail_archive import MaildirArchive
from dealerflow.adapters.embedded.spool import SpoolWriter
from dealerflow.adapters.security.passwords import random_id
from dealerflow.application.access import Access
from dealerflow.application.upkeep import Upkeep
from dealerflow.composition.demo import PASSWORD, accounts
from dealerflow.composition.embedded import SPOOL, System, spool_file
from dealerflow.web.app import make_app
from dealerflow.web.system import DemoAccount, WebSystem
from dealerflow.web.taking import Intake


class WebProcess:
    """The application (`app`) and its `spool`, to be opened before and closed after it runs. `web_lock` must
    be held.

    `prepared` is to be set when the database has been prepared, `database_is_away` when that was tried and
    has to wait, `stopping` when the process was told to stop. In a `demo` the pages name people who can log
    in, with their password.
    """

    def __init__(self, system: System, *, demo: bool = False) -> None:
        self.spool = SpoolWriter(spool_file(system), committed=lambda: system.bell.ring([SPOOL]))
        self.prepared = threading.Event()
        self.database_is_away = threading.Event()
        self.stopping = threading.Event()
        access = Access(
            secret=system.secret,
            store=SqlAccess(system.engine),
            hasher=system.hasher,
            clock=system.clock,
            random_id=random_id,
        )
        intake = Intake(
            spool=self.spool,
            links=system.links,
            clock=system.clock,
            ids=system.ids,
            trace=system.tracing.sending,
        )
        self.upkeep = Upkeep(
            intake=intake,
            spool=self.spool,
            feed=SqlIntakeFeed(system.database),
            access=access,
            clock=system.clock,
        )
        self.app = make_app(
            WebSystem(
                database=system.database,
                queries=SqlQueries(system.engine, system.clock, system.pipelines),
                store=system.store,
                mails=SqlMailLog(system.engine),
                archive=MaildirArchive(system.maildir),
                access=access,
                links=system.links,
                intake=intake,
                upkeep=self.upkeep,
                printer=system.printer,
                pipelines=system.pipelines,
                clock=system.clock,
                ids=system.ids,
                public_url=system.settings.public_url,
                ring=system.bell.ring,
                tracing=system.tracing,
                prepared=self._is_prepared,
                received=system.spool_reader.order,
                stopping=self.stopping,
                demo_accounts=demo_people() if demo else (),
            )
        )

    def _is_prepared(self) -> bool:
        # While the database is away nothing can be prepared, and orders are taken all the same.
        return self.prepared.is_set() or self.database_is_away.is_set()


def demo_people() -> tuple[DemoAccount, ...]:
    """The demo's accounts, as the pages show them."""
    return tuple(
        DemoAccount(
            email=account.email,
            name=account.name,
            password=PASSWORD,
            roles=tuple(str(held["role"]) for held in account.memberships),
        )
        for account in accounts()
    )

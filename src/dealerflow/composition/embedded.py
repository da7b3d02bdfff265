"""One machine: the only place where its objects meet. The web process, the worker process and the command
line all begin here.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from msgspec.structs import replace

from dealerflow.adapters.clock import SystemClock, TimeIds
from dealerflow.adapters.database import schema
from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.database.message_store import SqlMessageStore
from dealerflow.adapters.database.pipelines import PipelineLibrary
from dealerflow.adapters.database.spool_positions import drained_to
from dealerflow.adapters.database.unit_of_work import SqlDatabase, to_workers
from dealerflow.adapters.embedded.liveness import FileLock
from dealerflow.adapters.embedded.wake import Bell, Bells, FifoBell
from dealerflow.application import queues
from dealerflow.application.access import PasswordHasher
from dealerflow.application.letters import DocumentPrinter, LetterWriter, Mailer
from dealerflow.application.links import Links
from dealerflow.application.payments import PaymentProvider
from dealerflow.application.ports import Clock, Ids, QueueFigures
from dealerflow.application.reference import standard_data
from dealerflow.application.tracing import UNTRACED, Tracing
from dealerflow.composition.lazily import on_demand
from dealerflow.composition.pipeline_file import own_templates, pipeline_of, vocabulary_of
from dealerflow.composition.settings import Settings, secret_of
from dealerflow.domain.messages import PlaceOrder
from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.loader import load
from dealerflow.pipeline.vocabulary import Vocabulary

# Adapters that only one kind of process needs are imported where they are made: each costs memory and
# start-up time. ruff: noqa: PLC0415

if TYPE_CHECKING:
    from dealerflow.adapters.embedded.spool_reader import SqliteSpoolReader
    from dealerflow.application.audit import Auditor

SPOOL = "spool"  # what the drainer waits on, beside the queues


class System:
    """An installation on this machine. Each part is made when it is first asked for, once."""

    def __init__(self, settings: Settings, tracing: Tracing = UNTRACED) -> None:
        """`tracing` is closed with the rest, after it."""
        self.settings = settings
        self.tracing = tracing
        self.run_directory = settings.data / "run"
        self.clock: Clock = SystemClock()
        self.ids: Ids = TimeIds(self.clock.now)
        self._closing = ExitStack()
        self._closing.callback(tracing.close)

    def close(self) -> None:
        """Give back what was opened."""
        self._closing.close()

    # --- what everybody needs ---

    @cached_property
    def secret(self) -> str:
        return secret_of(self.settings)

    @property
    def on_sqlite(self) -> bool:
        """Whether the main database is a file of this machine."""
        return self.settings.database_url.startswith("sqlite")

    @cached_property
    def engine(self) -> sa.Engine:
        engine = open_engine(self.settings.database_url)
        self._closing.callback(engine.dispose)
        return engine

    @cached_property
    def bell(self) -> Bell:
        here = FifoBell(self.run_directory)
        self._closing.callback(here.close)
        if self.on_sqlite:
            return here
        from dealerflow.adapters.embedded.postgres import PostgresBell

        elsewhere = PostgresBell(self.settings.database_url)
        self._closing.callback(elsewhere.close)
        return Bells(here, elsewhere)

    @cached_property
    def database(self) -> SqlDatabase:
        sends = to_workers(self.bell.ring, self.tracing.sending)
        return SqlDatabase(self.engine, self.clock, self.ids, self.pipelines, sends)

    @cached_property
    def store(self) -> SqlMessageStore:
        return SqlMessageStore(self.engine)

    @cached_property
    def links(self) -> Links:
        return Links(self.secret, self.settings.public_url)

    @cached_property
    def pipelines(self) -> PipelineLibrary:
        return PipelineLibrary(
            self.engine, self.pipeline, lambda text: load(text, vocabulary=self.vocabulary)
        )

    @cached_property
    def pipeline(self) -> Pipeline:
        """The pipeline that new orders follow. Raises PipelineError, WrongSetting."""
        return pipeline_of(self.settings)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words that a pipeline file may use here."""
        return vocabulary_of(self.settings)

    # --- mail, documents, the outside ---

    @cached_property
    def letters(self) -> LetterWriter:
        from dealerflow.adapters.documents.letters import TemplateLetters

        return TemplateLetters(own_templates(self.settings))

    @cached_property
    def printer(self) -> DocumentPrinter:
        return on_demand(_printer)

    @property
    def maildir(self) -> Path:
        """Where mail goes while no mail server is set."""
        return self.settings.data / "mail"

    @cached_property
    def mailer(self) -> Mailer:
        if not self.settings.smtp_url:
            from dealerflow.adapters.embedded.mail import Maildir

            return Maildir(self.maildir)
        from dealerflow.adapters.embedded.smtp import Smtp

        smtp = Smtp(self.settings.smtp_url)
        self._closing.callback(smtp.close)
        return smtp

    @cached_property
    def provider(self) -> PaymentProvider:
        from dealerflow.adapters.outside.payment import TestCard

        return TestCard()

    @cached_property
    def spool_reader(self) -> SqliteSpoolReader:
        """Intake's store, read beside the web process."""
        from dealerflow.adapters.embedded.spool_reader import SqliteSpoolReader

        reader = SqliteSpoolReader(spool_file(self))
        self._closing.callback(reader.close)
        return reader

    @cached_property
    def hasher(self) -> PasswordHasher:
        return on_demand(_hasher)

    # --- what an operator does ---

    @cached_property
    def auditor(self) -> Auditor:
        """Reconciles what was accepted with what was done."""
        from dealerflow.adapters.database.audit.auditor import SqlAuditor

        return SqlAuditor(self.database, self.pipelines, self.spool_reader)

    def queue_figures(self) -> list[QueueFigures]:
        """See `Installation`. `orders` counts what waits in intake's spool too."""
        now, spool = self.clock.now(), self.spool_reader
        with self.database.read() as work:
            drained = drained_to(work.connection, spool.spool)
        first = spool.read(drained, 1)
        waiting = max(0, spool.last() - drained)
        age = 0.0
        if first and isinstance(first[0].message, PlaceOrder):
            age = max(0, now - first[0].message.new.at) / 1000
        return [
            replace(one, waiting=one.waiting + waiting, oldest_age_s=max(one.oldest_age_s, age))
            if one.name == queues.ORDERS
            else one
            for one in self.store.figures(now=now)
        ]

    def ring(self, queues: Collection[str] = ()) -> None:
        """Wake the workers of these queues (all, if none are named)."""
        self.bell.ring(queues)


def _hasher() -> PasswordHasher:
    from dealerflow.adapters.security.passwords import Argon2Hasher

    return Argon2Hasher()


def _printer() -> DocumentPrinter:
    from dealerflow.adapters.documents.pdf import PdfPrinter

    return PdfPrinter()


def prepare(system: System, *, demo: bool = False) -> None:
    """Migrate the database, give a new installation what it begins with, and make the queues known.

    Any number of processes may do so at once; where all is as it should be nothing is written. Raises Outage
    while the database is away.
    """
    schema.upgrade(system.engine)
    if system.pipelines.current.id not in system.pipelines.stored():
        system.pipelines.store(system.clock.now())
    with system.database.read() as work:
        begun, has_catalogue = bool(work.reference.plants()), work.reference.catalogue() is not None
    if not begun or (demo and not has_catalogue):
        _begin(system, demo)
    with system.database.read() as work:
        lines = {dealership.delivery_line for dealership in work.reference.dealerships()}
    needed = {*queues.POLICIES, *map(queues.deliveries, lines)}
    if missing := needed - set(system.store.queues()):
        system.store.declare(sorted(missing))


def _begin(system: System, demo: bool) -> None:
    with system.database.begin() as work:
        standard_data(work)
        if demo:
            from dealerflow.composition.demo import load as load_demo

            load_demo(work, system.hasher)


def web_lock(system: System) -> FileLock:
    """Held by the one process that writes to the spool."""
    return FileLock(system.run_directory / "web.lock")


def spool_file(system: System) -> Path:
    """Intake's own store."""
    return system.settings.data / "intake.db"

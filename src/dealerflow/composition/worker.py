"""The worker process of one machine: works queues, woken by whoever commits messages for them."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import TYPE_CHECKING

from dealerflow.adapters.embedded.drainer import Drainer
from dealerflow.adapters.embedded.liveness import FileLiveness, FileLock, Liveness
from dealerflow.adapters.embedded.steps import Steps
from dealerflow.adapters.embedded.wake import FifoListener, Wake
from dealerflow.adapters.embedded.worker import Worker
from dealerflow.adapters.outside.functions import InstalledFunctions
from dealerflow.application import queues
from dealerflow.application.functions import CallFunctions
from dealerflow.application.handlers import finder, handler_table
from dealerflow.application.handling import HandlerFor
from dealerflow.application.happenings import DeliverWebhooks, WebhookSender
from dealerflow.application.mailing import SendMails
from dealerflow.application.payments import TakePayments
from dealerflow.composition.embedded import SPOOL, System
from dealerflow.composition.lazily import on_demand

if TYPE_CHECKING:
    from dealerflow.adapters.embedded.postgres import PostgresListener


class WorkerProcess:
    """A worker with all that wakes it. Its `steps` and its `drainer` can also be taken by hand, without
    `run`.
    """

    def __init__(
        self, system: System, *, only: Collection[str] | None = None, without: Collection[str] = ()
    ) -> None:
        """`only` and `without`: names or patterns of queues; None is all of them."""
        self._wake = Wake()
        liveness, handler_for = _liveness(system), _handler_for(system)
        random = secrets.SystemRandom().random
        self.steps = Steps(
            store=system.store,
            database=system.database,
            handler_for=handler_for,
            owner=liveness.owner,
            clock=system.clock,
            random=random,
            tracing=system.tracing,
        )
        self.drainer = Drainer(
            system.spool_reader,
            database=system.database,
            store=system.store,
            handler_for=handler_for,
            clock=system.clock,
            random=random,
            lock=FileLock(system.run_directory / "drainer.lock"),
            directly=system.on_sqlite,
            tracing=system.tracing,
        )
        works_orders = (only is None or queues.ORDERS in only) and queues.ORDERS not in without
        self._worker = Worker(
            self.steps,
            store=system.store,
            liveness=liveness,
            wake=self._wake,
            clock=system.clock,
            queues=only,
            without=without,
            also={SPOOL: self.drainer.step} if works_orders else {},
        )
        self._listeners: list[FifoListener | PostgresListener] = [
            FifoListener(system.run_directory, f"worker-{liveness.owner}", self._wake)
        ]
        if not system.on_sqlite:
            self._listeners.append(_postgres_listener(system, self._wake))

    def run(self) -> None:
        """Work until `stop` is called, from a signal handler or another thread; then finish what is in hand."""
        for listener in self._listeners:
            listener.start()
        try:
            self._worker.run()
        finally:
            for listener in self._listeners:
                listener.stop()

    def stop(self) -> None:
        """Claim nothing more."""
        self._worker.stop()


def _handler_for(system: System) -> HandlerFor:
    """Which message is worked by what, with everything that handlers reach outside."""
    mails = SendMails(
        system.letters, system.printer, system.mailer, system.links, sender=system.settings.mail_from
    )
    return finder(
        handler_table(
            payments=TakePayments(system.provider),
            mails=mails,
            functions=CallFunctions(InstalledFunctions()),
            webhooks=DeliverWebhooks(on_demand(lambda: _posts(system))),
        )
    )


def _posts(system: System) -> WebhookSender:
    from dealerflow.adapters.outside.webhooks import SignedPosts

    return SignedPosts(
        clock=system.clock, private_for_dealerships=system.settings.webhooks_to_private_addresses
    )


def _liveness(system: System) -> Liveness:
    if system.on_sqlite:
        return FileLiveness(system.run_directory)
    from dealerflow.adapters.embedded.postgres import PostgresLiveness

    return PostgresLiveness(system.settings.database_url)


def _postgres_listener(system: System, wake: Wake) -> PostgresListener:
    from dealerflow.adapters.embedded.postgres import PostgresListener

    return PostgresListener(system.settings.database_url, wake)

"""What the web application is made of. Composition fills it in; routes find it through `system_of`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from litestar import Request
from litestar.datastructures import State

from dealerflow.application.access import Access
from dealerflow.application.letters import DocumentPrinter
from dealerflow.application.links import Links
from dealerflow.application.mail_archive import MailArchive, NoArchive
from dealerflow.application.mail_log import MailLog
from dealerflow.application.ports import Clock, Ids, QueueConsole
from dealerflow.application.tracing import UNTRACED, Tracing
from dealerflow.application.work import Database, Pipelines

if TYPE_CHECKING:
    from dealerflow.application.queries import Queries
    from dealerflow.application.upkeep import Upkeep
    from dealerflow.domain.orders import NewOrder
    from dealerflow.web.taking import Intake

HttpRequest = Request[Any, Any, State]


def _nobody_to_wake() -> None:
    pass


def _prepared() -> bool:
    return True


def _cannot_be_asked(_: str) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class DemoAccount:
    """An account that anyone may log in with to try things out; shown on the pages of a demo."""

    email: str
    name: str
    password: str
    roles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WebSystem:
    """The ports and settings that routes use.

    `public_url` is what links are made from, never the Host header. `ring` wakes the workers after a commit that sent messages.
    `upkeep` runs while the application does (its lifespan starts and stops it), unless `keeps_up` is false: then its steps are
    taken by hand.
    `streams`: whether an answer may be held open; where not, whoever listens comes back again and again.
    `stopping` is set when the process was asked to stop: open streams end, which otherwise would hold it up.
    `demo_accounts` are shown on the pages, with their passwords; there are some in a demo only.
    `received` gives an order that is not processed yet, where what holds it can be asked (SQS cannot); it may raise Outage.
    `prepared` says whether migrations and demo data, at start, are done (or cannot be done while the database is away).
    """

    database: Database
    queries: Queries
    store: QueueConsole
    mails: MailLog
    archive: MailArchive = field(default_factory=NoArchive)
    access: Access
    links: Links
    intake: Intake
    upkeep: Upkeep
    printer: DocumentPrinter
    pipelines: Pipelines
    clock: Clock
    ids: Ids
    public_url: str
    ring: Callable[[], None] = _nobody_to_wake
    tracing: Tracing = UNTRACED
    keeps_up: bool = True
    streams: bool = True
    prepared: Callable[[], bool] = _prepared
    received: Callable[[str], NewOrder | None] = _cannot_be_asked
    demo_accounts: tuple[DemoAccount, ...] = ()
    stopping: Event = field(default_factory=Event)

    @property
    def is_https(self) -> bool:
        """Whether people reach the pages over TLS; cookies are then sent over nothing else."""
        return self.public_url.startswith("https://")


def system_of(request: HttpRequest) -> WebSystem:
    """The system behind the application that got this request."""
    return cast("WebSystem", request.app.state.system)

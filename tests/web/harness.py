"""The whole web application in this process, over the demo's dealerships and people, its queues drained by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from httpx import Response
from litestar.handlers import HTTPRouteHandler
from litestar.testing import TestClient
from litestar.types import ASGIApp

from dealerflow.adapters.clock import TimeIds
from dealerflow.adapters.database.intake_feed import SqlIntakeFeed
from dealerflow.adapters.database.mail_log import SqlMailLog
from dealerflow.adapters.database.queries import SqlQueries
from dealerflow.adapters.database.sessions import SqlAccess
from dealerflow.adapters.documents.pdf import PdfPrinter
from dealerflow.adapters.embedded.drainer import Drainer
from dealerflow.adapters.embedded.liveness import FileLock
from dealerflow.adapters.embedded.spool import SpoolWriter
from dealerflow.adapters.embedded.spool_reader import SqliteSpoolReader
from dealerflow.adapters.security.passwords import Argon2Hasher, random_id
from dealerflow.application import reference_files as files
from dealerflow.application.access import Access, issue_token
from dealerflow.application.handlers import finder
from dealerflow.application.import_files import Rows
from dealerflow.application.reference import standard_data
from dealerflow.application.upkeep import Upkeep
from dealerflow.composition.testing import TEST_SECRET, TestSystem
from dealerflow.pipeline.loader import standard
from dealerflow.web.app import make_app
from dealerflow.web.system import WebSystem
from dealerflow.web.taking import Intake

DEMO = Path(files.__file__).parents[1] / "composition" / "demo"
PASSWORD = "demo"

ORDER: dict[str, Any] = {
    "dealership": "northside",
    "customer": {"name": "Ana Núñez", "email": "ana@example.com"},
    "vehicle": {"model": "meridian", "trim": "base", "colour": "pearl-white", "options": []},
}


class WebTestSystem(TestSystem):
    """A TestSystem with demo data, intake and the ASGI application (`app`)."""

    def __init__(self, url: str, data: Path) -> None:
        super().__init__(url, standard())
        self.hasher = Argon2Hasher(memory_kib=8)
        with self.database.begin() as work:
            standard_data(work)
            files.put_catalogue(work, (DEMO / "catalogue.json").read_bytes())
            files.put_dealerships(work, _rows("dealerships"))
            files.put_lines(work, _rows("lines"))
            files.put_defect_codes(work, _rows("defects"))
            files.put_accounts(work, _rows("accounts"), self.hasher.hash, least_password=4)
        self.spool = SpoolWriter(data / "intake.db")
        self.spool.open()
        self.spool_reader = SqliteSpoolReader(data / "intake.db")
        self.web = self._web()
        self.app: ASGIApp = make_app(self.web)
        self.rung = 0
        self.drainer = Drainer(
            SqliteSpoolReader(data / "intake.db"),
            database=self.database,
            store=self.store,
            handler_for=finder(self.table),
            clock=self.clock,
            random=lambda: 0.0,
            lock=FileLock(data / "drainer.lock"),
            directly=True,
        )

    def _web(self) -> WebSystem:
        access = Access(
            secret=TEST_SECRET,
            store=SqlAccess(self.engine),
            hasher=self.hasher,
            clock=self.clock,
            random_id=random_id,
        )
        intake = Intake(spool=self.spool, links=self.links, clock=self.clock, ids=self.ids)
        feed = SqlIntakeFeed(self.database)
        return WebSystem(
            database=self.database,
            queries=SqlQueries(self.engine, self.clock, self.pipelines),
            store=self.store,
            mails=SqlMailLog(self.engine),
            archive=self.mailer,
            access=access,
            links=self.links,
            intake=intake,
            upkeep=Upkeep(intake=intake, spool=self.spool, feed=feed, access=access, clock=self.clock),
            printer=PdfPrinter(),
            pipelines=self.pipelines,
            clock=self.clock,
            ids=self.ids,
            public_url="http://dealerflow.test",
            ring=self._ring,
            keeps_up=False,
            received=self.spool_reader.order,
        )

    def _ring(self) -> None:
        self.rung += 1

    def token(self, email: str) -> str:
        """A bearer token of this demo account ("operator" is operator@factory.example)."""
        with self.database.read() as work:
            account = next(a for a in work.reference.accounts() if a.email == address(email))
        return issue_token(account, TEST_SECRET)

    def process(self) -> None:
        """Drain the spool and then every queue."""
        while self.drainer.step():
            pass
        self.drain()

    def close(self) -> None:
        self.spool_reader.close()
        self.spool.close()
        super().close()


class WithRealIds(WebTestSystem):
    """Its ids tell when they were made, which is what is known of an order while the database is away."""

    def _web(self) -> WebSystem:
        self.ids = TimeIds(self.clock.now)
        return super()._web()


class Client:
    """Calls the application as one person; `post` and the others take JSON."""

    def __init__(self, system: WebTestSystem, http: httpx.Client, who: str | None = None) -> None:
        self.system = system
        self.http = http
        self.headers = {"Authorization": f"Bearer {system.token(who)}"} if who else {}

    def as_(self, who: str | None) -> Client:
        """The same application, called by somebody else (None: by nobody known)."""
        return Client(self.system, self.http, who)

    def get(self, path: str, **headers: str) -> Response:
        return self.http.get(path, headers={**self.headers, **_names(headers)})

    def head(self, path: str, **headers: str) -> Response:
        return self.http.head(path, headers={**self.headers, **_names(headers)})

    def post(self, path: str, body: Any = None, **headers: str) -> Response:
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        kind = {"Content-Type": "application/json"}
        return self.http.post(path, content=content, headers={**kind, **self.headers, **_names(headers)})

    def put(self, path: str, body: Any = None, **headers: str) -> Response:
        content = b"" if body is None else msgspec.json.encode(body)
        return self.http.put(path, content=content, headers={**self.headers, **_names(headers)})

    def delete(self, path: str, **headers: str) -> Response:
        return self.http.delete(path, headers={**self.headers, **_names(headers)})

    def place(self, **changes: Any) -> dict[str, Any]:
        """Take an order; what its 202 says, with its `key`."""
        answer = self.post("/api/v1/orders", {**ORDER, **changes})
        assert answer.status_code == 202, answer.text
        taken: dict[str, Any] = answer.json()
        taken["key"] = taken["tracking_url"].partition("key=")[2]
        return taken


@contextmanager
def running(
    url: str, data: Path, *more: HTTPRouteHandler, made: type[WebTestSystem] = WebTestSystem
) -> Iterator[Client]:
    """The application on this empty database, with its lifespan; called by nobody known. `more` routes as pages."""
    system = made(url, data)
    system.web.upkeep.step()  # so that the first order finds a catalogue
    try:
        app = make_app(system.web, more) if more else system.app
        with TestClient(app, base_url="http://dealerflow.test", raise_server_exceptions=False) as http:
            yield Client(system, http)
    finally:
        system.close()


def address(name: str) -> str:
    """ "operator" → operator@factory.example, "dealer@northside" → dealer@northside.example."""
    return f"{name}.example" if "@" in name else f"{name}@factory.example"


def _rows(name: str) -> Rows:
    return Rows(values=msgspec.json.decode((DEMO / f"{name}.json").read_bytes()))


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}

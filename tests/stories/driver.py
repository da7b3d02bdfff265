"""How stories speak: people who act over HTTP, orders that reach states, and what can be read back.

A story knows nothing of how Dealerflow runs. That is the business of an `Installation`: in this process with its
queues drained by hand (`in_process`), or as processes of its own (`processes`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from email.message import EmailMessage
from functools import cached_property
from io import BytesIO
from tempfile import NamedTemporaryFile
from typing import Any, Protocol

import httpx
from pypdf import PdfReader

API = "/api/v1"

Json = dict[str, Any]


class Place(Protocol):
    """One Dealerflow with its demo data, however it runs."""

    @property
    def http(self) -> httpx.Client:
        """Where its pages and its API answer; may be used by several threads."""

    @property
    def unworked(self) -> Collection[str]:
        """The queues that no worker works now."""

    def token(self, email: str) -> str:
        """A bearer token of this account."""

    def moments(self) -> Iterator[None]:
        """The moments at which to look whether something is so; the workers work before each. They end after long enough."""

    def lets_time_pass(self, seconds: float) -> None:
        """Let so much time go by, with the workers at their work."""

    def command(self, *arguments: str, fails: bool = False) -> str:
        """Run `dealerflow ARGUMENTS…`: what it prints; or, where it must fail with exit status 1, what it complains of."""

    def mailbox(self) -> list[EmailMessage]:
        """Every mail that left, in no order."""


class Installation(Place, Protocol):
    """One from which things can be taken away.

    `knows_received_orders_without_database`: whether who asks for an order while the database is away is told that it was
    received. On AWS that is unknown until the database is back (503), because SQS cannot be asked for one message.
    """

    knows_received_orders_without_database: bool

    def without_database(self) -> AbstractContextManager[None]:
        """Within the block nobody can write to the main database."""

    def without_workers_for(self, queue: str) -> AbstractContextManager[None]:
        """Within the block no worker works this queue."""

    def cards_declined(self) -> AbstractContextManager[None]:
        """Within the block every card is declined."""


class Person:
    """Somebody who acts over HTTP. `name` is for failures' sake."""

    def __init__(self, dealerflow: People, name: str, account: str | None = None) -> None:
        self.dealerflow = dealerflow
        self.name = name
        self._account = account

    @cached_property
    def _headers(self) -> dict[str, str]:
        if self._account is None:
            return {}
        return {"Authorization": f"Bearer {self.dealerflow.place.token(self._account)}"}

    def asks(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any call of the API, whatever its answer. `more` as httpx takes it."""
        headers = {**self._headers, **more.pop("headers", {})}
        return self.dealerflow.http.request(method, API + path, headers=headers, **more)

    def reads(self, path: str, **query: Any) -> Json:
        """What the API gives this person."""
        answer = self.asks("GET", path, params=query)
        assert answer.status_code == 200, f"{self.name} asked for {path}: {_said(answer)}"
        found: Json = answer.json()
        return found

    def lists(self, path: str, **query: Any) -> list[Json]:
        """Every item of a list, page by page."""
        items, page = [], self.reads(path, **query)
        while True:
            items += page["items"]
            if page["next"] is None:
                return items
            page = self.reads(path, **query, cursor=page["next"])

    def sends(self, path: str, body: Any = None, *, expect: int = 202, key: str | None = None) -> Json:
        """A POST that is answered with `expect`. `key` is its Idempotency-Key."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.asks("POST", path, json=body, headers=headers)
        assert answer.status_code == expect, f"{self.name} sent {body} to {path}: {_said(answer)}"
        said: Json = answer.json()
        return said

    def sees(self, order: Order) -> Json:
        """The order as this person sees it."""
        return self.reads(f"/orders/{order.id}")

    def tries(self, order: Order, outcome: str, *, step: str | None = None, **details: Any) -> httpx.Response:
        """Decide, whatever the answer; for the order's present step unless another is given."""
        form = {"outcome": outcome, "step": step or order.step, "details": details}
        return self.asks("POST", f"/orders/{order.id}/decisions", json=form)

    def decides(self, order: Order, outcome: str, **details: Any) -> None:
        """Decide, and be told that it will be carried out."""
        answer = self.tries(order, outcome, **details)
        assert answer.status_code == 202, f"{self.name} decided {outcome}: {_said(answer)}"

    def pays(self, order: Order) -> Json:
        """Pay what is due next."""
        return self.sends(f"/orders/{order.id}/payments", {"method": "test_card"})

    def loads(self, *orders: Order, carrier: str | None = None) -> str:
        """Put these cars on a new load: its id."""
        form = {"orders": [order.id for order in orders], "carrier": carrier}
        load: str = self.sends("/loads", form, expect=201)["id"]
        return load

    def sends_off(self, load: str) -> None:
        """Let the load depart."""
        self.sends(f"/loads/{load}/departure")

    def pdf(self, path: str, **query: Any) -> str:
        """The text of a PDF."""
        answer = self.asks("GET", path, headers={"Accept": "application/pdf"}, params=query)
        assert answer.status_code == 200, f"{self.name} asked for {path}: {_said(answer)}"
        assert answer.headers["content-type"] == "application/pdf"
        return pdf_text(answer.content)


class Customer(Person):
    """Who orders cars, and then follows each with its own link."""

    def __init__(self, dealerflow: People, name: str, email: str, **more: str) -> None:
        super().__init__(dealerflow, name)
        self.form = {"name": name, "email": email, **more}
        self._keys: dict[str, str] = {}

    def asks(self, method: str, path: str, **more: Any) -> httpx.Response:
        """As everybody, and with the link's key on every call about an own order."""
        order = path.split("/")[2] if path.startswith("/orders/") else ""
        if order in self._keys:
            more["params"] = {**more.get("params", {}), "key": self._keys[order]}
        return super().asks(method, path, **more)

    def form_for(self, dealership: str, **vehicle: Any) -> Json:
        """An order form; by default for a plain Meridian."""
        car = {"model": "meridian", "trim": "base", "colour": "deep-blue", "options": [], **vehicle}
        return {"dealership": dealership, "customer": self.form, "vehicle": car}

    def orders(
        self,
        dealership: str = "northside",
        *,
        key: str | None = None,
        note: str | None = None,
        **vehicle: Any,
    ) -> Order:
        """Order a car."""
        form = self.form_for(dealership, **vehicle)
        return self.knows(self.sends("/orders", {**form, "note": note} if note else form, key=key))

    def knows(self, receipt: Json) -> Order:
        """The order of which this is the answer."""
        order = Order(self.dealerflow, receipt, self)
        self._keys[order.id] = order.key
        return order


class Order:
    """One order, from its 202 on."""

    def __init__(self, dealerflow: People, receipt: Json, customer: Customer) -> None:
        self.dealerflow = dealerflow
        self.customer = customer
        self.id: str = receipt["id"]
        self.price: int = receipt["price"]["amount"]
        self.tracking_url: str = receipt["tracking_url"]
        self.key = self.tracking_url.partition("key=")[2]

    @property
    def now(self) -> Json:
        """The order as its customer sees it."""
        return self.customer.sees(self)

    @property
    def for_staff(self) -> Json:
        """The order as a head of operations sees it."""
        return self.dealerflow.head.sees(self)

    @property
    def state(self) -> str:
        state: str = self.now["state"]
        return state

    @property
    def step(self) -> str:
        step: str = self.now["step"]
        return step

    @property
    def vin(self) -> str | None:
        vin: str | None = self.for_staff["vin"]
        return vin

    def reaches(self, state: str) -> Order:
        """Wait until the order is in this state, and everything that belongs to it is done."""
        self.dealerflow.until(lambda: self.state == state, f"{self.id} is in {state}")
        self.dealerflow.settles()
        return self

    def is_paid(self) -> Order:
        """Wait until nothing more is due now."""
        self.dealerflow.until(lambda: self.now["payment"]["status"] == "paid", f"{self.id} is paid")
        self.dealerflow.settles()
        return self


class People:
    """The people of one Dealerflow."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.http = place.http
        self._staff: dict[str, Person] = {}
        self.customer = self.new_customer(
            "Ana Núñez", "ana@example.com", address="Calle Mayor 1\n28013 Madrid"
        )
        self.anybody = Person(self, "somebody")
        self.production = self.staff("production@factory.example")
        self.quality = self.staff("quality@factory.example")
        self.delivery = self.staff("delivery@factory.example")
        self.head = self.staff("head1@factory.example")
        self.operator = self.staff("operator@factory.example")
        self.admin = self.staff("admin@factory.example")

    def new_customer(self, name: str, email: str, **more: str) -> Customer:
        """Another customer; `more` are further fields of the form."""
        return Customer(self, name, email, **more)

    def staff(self, email: str) -> Person:
        """Who logs in with this address."""
        if email not in self._staff:
            self._staff[email] = Person(self, email, email)
        return self._staff[email]

    def names(self) -> dict[str, str]:
        """Account id → address, of the staff who played a part."""
        return {person.reads("/me")["id"]: email for email, person in self._staff.items()}

    def dealer(self, dealership: str) -> Person:
        """Who sells at this dealership."""
        return self.staff(f"dealer@{dealership}.example")

    def dealer_of(self, order: Order) -> Person:
        """Who sells at the dealership where this was ordered."""
        return self.dealer(order.now["dealership"])

    def line_lead(self, line: str) -> Person:
        """Who leads this assembly line."""
        return self.staff(f"line-{line.lower()}@factory.example")

    # --- waiting ---

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until this is so."""
        if not any(condition() for _ in self.place.moments()):
            raise AssertionError(f"waited too long until {what}; {self._troubles()}")

    def settles(self) -> None:
        """Wait until every queue is empty, paused, or worked by nobody."""
        self.until(lambda: not self._busy(), "everything is done")

    def _busy(self) -> list[Json]:
        worked = [q for q in self.queues().values() if q["name"] not in self.place.unworked]
        return [q for q in worked if not q["paused"] and q["waiting"] + q["in_flight"] + q["delayed"]]

    def _troubles(self) -> str:
        return f"at work: {self._busy()}; dead: {[q for q in self.queues().values() if q['dead']]}"

    # --- the command line ---

    def audit(self) -> list[Json]:
        """The faults that the auditor finds."""
        report = json.loads(self.place.command("audit", "--json"))
        assert report["checked"]["events"] == len(self.events()), "the auditor looks at everything"
        faults: list[Json] = report["faults"]
        return faults

    def imports(self, orders: list[Json], *more: str, fails: bool = False) -> str:
        """Bring in open orders from a file: what the command says."""
        with NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(orders, file)
            file.flush()
            return self.place.command("orders", "import", file.name, *more, fails=fails)

    def places(self, order: Order, state: str, *more: str, reason: str) -> None:
        """The administrator's override."""
        self.place.command("orders", "place", order.id, state, "--reason", reason, *more)

    # --- the operator's view ---

    def queues(self) -> dict[str, Json]:
        """Every queue's figures, by name."""
        return {queue["name"]: queue for queue in self.operator.reads("/queues")["items"]}

    def queue(self, name: str) -> Json:
        """One queue's figures."""
        return self.queues()[name]

    def mails(self, order: Order | None = None) -> list[Json]:
        """The mail log (of one order), the oldest first."""
        found = self.operator.lists("/mail", **({"order": order.id} if order else {}))
        return found[::-1]

    def letters(self, order: Order) -> list[tuple[str, str]]:
        """(template, address) of every mail about the order, sorted; all of them were sent."""
        mails = self.mails(order)
        assert {mail["status"] for mail in mails} == {"sent"}, mails
        return sorted((mail["template"], mail["to"]) for mail in mails)

    def letter(self, order: Order, template: str) -> EmailMessage:
        """The one mail that was made from this template for the order, as it left."""
        (logged,) = [mail for mail in self.mails(order) if mail["template"] == template]
        return self.as_it_left(logged)

    def as_it_left(self, logged: Json) -> EmailMessage:
        """The mail that this line of the mail log is about."""
        start = f"<{logged['id']}@"
        (left,) = [mail for mail in self.place.mailbox() if mail["Message-ID"].startswith(start)]
        assert left["To"] == logged["to"]
        return left

    def events(self, order: Order | None = None) -> list[Json]:
        """Everything that happened (to one order), in the order of its positions."""
        query = {"order": order.id} if order else {}
        found: list[Json] = []
        while True:
            after = found[-1]["position"] if found else 0
            page = self.head.reads("/events", after=after, limit=200, **query)
            if not page["items"]:
                return found
            found += page["items"]


class Dealerflow(People):
    """An installation with its people, for stories in which something is away."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation)
        self.installation = installation


def faults_of(answer: httpx.Response) -> dict[str, str]:
    """The faults that a 422 names: pointer → detail."""
    assert answer.status_code == 422, _said(answer)
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


def refusal(answer: httpx.Response, status: int) -> str:
    """Why it was refused with this status, as the problem says."""
    assert answer.status_code == status, _said(answer)
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


def pdf_text(content: bytes) -> str:
    """What a PDF says, in one line of words."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())


def plain_text(mail: EmailMessage) -> str:
    """A mail's text part, in one line of words."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


def attachments(mail: EmailMessage) -> dict[str, str]:
    """The text of each PDF that is attached, by file name."""
    return {str(part.get_filename()): pdf_text(part.get_content()) for part in mail.iter_attachments()}


def _said(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:2000]}"

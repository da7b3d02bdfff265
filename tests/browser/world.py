"""A demo in which there is something to see on every page."""

from __future__ import annotations

from dataclasses import dataclass, field

from dealerflow.domain.messages import IssueInvoice
from tests.web.api.life import API, brought, decided, paid, placed
from tests.web.harness import ORDER, Client

HOUR_MS = 3_600_000


@dataclass
class World:
    """What is in it, by the ids that pages are opened with."""

    anyone: Client
    language: str  # of its customers
    orders: dict[str, dict[str, str]] = field(default_factory=dict)  # by the state that each is in
    load: str = ""
    webhook: str = ""
    mails: dict[str, str] = field(default_factory=dict)  # by template

    def fill(self) -> World:
        """An order in each state, a load that waits, a subscription, a dead letter, mails."""
        usual = ("order_placed", "order_arrived", "production_started", "quality_check", "quality_passed",
                 "on_delivery", "at_dealership", "ended")  # fmt: skip
        for state in usual:
            self.orders[state] = self._brought(state)
        self.orders["quality_failed"] = self._brought("quality_check")
        self._decided("quality_failed", "quality", "fail", defects=["paint", "noise"], note="left door")
        self.orders["declined"] = self._placed()
        self._decided("declined", "dealer@northside", "decline", reason="We cannot get this colour.")
        self.orders["cancelled"] = self._brought("order_arrived")
        self._decided("cancelled", "dealer@northside", "cancel", reason="They move abroad.")
        self.orders["unpaid"] = self._placed(dealership="lakeside", note="Please call first.")
        self._decided("unpaid", "dealer@lakeside", "accept")
        self.orders["paid in part"] = self._placed(dealership="lakeside")
        self._decided("paid in part", "dealer@lakeside", "accept")
        paid(self.anyone, self.orders["paid in part"])
        loaded = self._brought("quality_passed")["id"]
        self.load = self._made("delivery", "loads", {"orders": [loaded], "carrier": "Transportes Sur"})
        self.webhook = self._made("dealer@northside", "webhooks", {"url": "https://hooks.example/dealerflow"})
        self._kill_a_message()
        self.mails = self._mails()
        self.orders["received"] = self.anyone.place()  # and not processed
        return self

    def _placed(self, **changes: object) -> dict[str, str]:
        customer = {**ORDER["customer"], "language": self.language}
        return placed(self.anyone, customer=customer, **changes)

    def _mails(self) -> dict[str, str]:
        answer = self.anyone.as_("operator").get(f"{API}/mail?limit=200").json()
        return {mail["template"]: mail["id"] for mail in answer["items"]}

    def _brought(self, state: str) -> dict[str, str]:
        order = self._placed()
        brought(self.anyone, order, state)
        return order

    def _decided(self, order: str, who: str, outcome: str, **details: object) -> None:
        decided(self.anyone.as_(who), self.orders[order]["id"], outcome, **details)

    def _made(self, who: str, what: str, body: dict[str, object]) -> str:
        answer = self.anyone.as_(who).post(f"{API}/{what}", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def _kill_a_message(self) -> None:
        system = self.anyone.system
        with system.database.begin() as work:
            work.send("invoices", IssueInvoice(payment="pay_nothing"))
        for _ in range(20):
            system.drain("invoices")
            system.clock.pass_ms(HOUR_MS)

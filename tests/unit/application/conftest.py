"""A small factory and two dealerships, and words for what people do with an order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import to_json
from dealerflow.application import queues
from dealerflow.application.orders import DecisionForm, decide
from dealerflow.application.payments import PaymentForm, receive_payment
from dealerflow.application.records import Payment
from dealerflow.composition.testing import TestSystem
from dealerflow.domain.billing import DEFAULT_TERMS, Term
from dealerflow.domain.messages import PlaceOrder
from dealerflow.domain.orders import Customer, NewOrder, Order, PricedLine, Revision
from dealerflow.domain.people import Account, Caller, Membership
from dealerflow.pipeline.loader import standard

PRICE = 3_000_000
LABELS = {"model": {"en": "Meridian"}, "trim": {"en": "Base"}, "colour": {"en": "Deep blue", "es": "Azul"}}


def staff(role: str, scope: str = "") -> Caller:
    """A caller who holds just this role."""
    return Caller(
        account=Account(
            id=f"acc_{role}",
            email=f"{role}@example",
            name=role,
            memberships=(Membership(role=role, scope=scope),),
        )
    )


DEALER = staff("dealer", "northside")
PRODUCTION = staff("production_manager", "main")
LINE = staff("line_lead", "A")
QUALITY = staff("quality_lead", "main")
DELIVERY = staff("delivery_lead", "main")


class Dealerflow(TestSystem):
    """The system with people in it."""

    def place(
        self, dealership: str = "northside", terms: tuple[Term, ...] = DEFAULT_TERMS, language: str = "en"
    ) -> str:
        """An order that intake accepted, worked."""
        id_ = self.ids.new("ord")
        line = PricedLine(kind="model", code="meridian", title={"en": "Meridian"}, amount=PRICE)
        revision = Revision(
            number=1, catalogue_version=1, model="meridian", trim="base", colour="deep-blue", options=(), labels=LABELS,
            lines=(line,), price=PRICE, currency="EUR", vin_code="MER24",
        )  # fmt: skip
        customer = Customer(name="Ana Núñez", email="ana@example.com", language=language)
        new = NewOrder(
            id=id_,
            dealership=dealership,
            at=self.clock.now(),
            customer=customer,
            revision=revision,
            terms=terms,
        )
        with self.database.begin() as work:
            work.send(queues.ORDERS, PlaceOrder(new=new), group=dealership, order=id_)
        self.drain()
        return id_

    def order(self, id_: str) -> Order:
        with self.database.read() as work:
            return work.orders.get(id_)

    def claim(self, caller: Caller, id_: str, outcome: str, **details: Any) -> None:
        """Decide, without carrying it out."""
        with self.database.begin() as work:
            decide(
                work, caller, id_, DecisionForm(outcome=outcome, step=self.order(id_).step, details=details)
            )

    def decide(self, caller: Caller, id_: str, outcome: str, **details: Any) -> Order:
        """Decide, and work everything that follows."""
        self.claim(caller, id_, outcome, **details)
        self.drain()
        return self.order(id_)

    def pay(self, id_: str) -> Payment:
        """The customer pays what is due, and everything that follows is worked."""
        with self.database.begin() as work:
            payment = receive_payment(work, Caller(customer_of=id_), id_, PaymentForm(method="test_card"))
        self.drain()
        with self.database.read() as work:
            return work.billing.payment(payment.id)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.engine.connect().execution_options(mode="read") as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(table))]

    def mails_of(self, id_: str) -> list[str]:
        """The templates of the mails about an order, as they were sent."""
        return [
            row["template"]
            for row in self.rows(t.mails)
            if row["order_id"] == id_ and row["status"] == "sent"
        ]


@pytest.fixture
def dealerflow(tmp_path: Path) -> Iterator[Dealerflow]:
    system = Dealerflow(f"sqlite:///{tmp_path / 'dealerflow.db'}", standard())
    seller = {
        "name": "Northside Ltd",
        "address": "1 High Street",
        "tax_id": "X1",
        "country": "IE",
        "timezone": "Europe/Dublin",
        "currency": "EUR",
        "tax_rate": 2300,
    }
    with system.engine.begin() as c:
        for id_, delivery_line in (("northside", "north"), ("harbour", "coast")):
            c.execute(sa.insert(t.sellers), {**seller, "id": id_, "number_prefix": id_.upper()})
            dealership = {
                "id": id_,
                "name": id_.title(),
                "email": f"dealer@{id_}.example",
                "seller": id_,
                "delivery_line": delivery_line,
            }
            c.execute(sa.insert(t.dealerships), {**dealership, "terms": to_json(DEFAULT_TERMS)})
        c.execute(sa.insert(t.plants), {"id": "main", "name": "Main", "vin_code": "XDF"})
        for line in "AB":
            c.execute(sa.insert(t.lines), {"id": line, "plant": "main", "name": line, "places": 2})
        c.execute(
            sa.insert(t.defect_codes),
            [{"code": code, "title": to_json({"en": code})} for code in ("paint", "gap")],
        )
        for number in (1, 2):
            c.execute(
                sa.insert(t.accounts),
                {
                    "id": f"acc_head{number}",
                    "email": f"head{number}@factory.example",
                    "name": "Head",
                    "password_hash": "",
                },
            )
            c.execute(
                sa.insert(t.memberships),
                {"account": f"acc_head{number}", "role": "head_of_operations", "scope": "main"},
            )
        c.execute(
            sa.insert(t.topic_subscriptions),
            {"id": "sub_1", "topic": "quality-alerts", "kind": "role", "target": "head_of_operations"},
        )
    yield system
    system.close()

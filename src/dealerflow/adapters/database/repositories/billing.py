"""Payments, documents and number series."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row, to_json, to_row
from dealerflow.adapters.database.session import Session
from dealerflow.application.records import Payment, PaymentStatus
from dealerflow.domain.billing import Document, DocumentKind
from dealerflow.domain.errors import Conflict, NotFound

_SETTLED = ("status", "settled_at", "reference", "reason", "refunded_at")
_settle = (
    sa.update(t.payments)
    .where(t.payments.c.id == sa.bindparam("payment"), t.payments.c.status == sa.bindparam("expected"))
    .values({name: sa.bindparam(f"new_{name}") for name in _SETTLED})
)


class SqlBilling:
    """Implements `application.work.Billing`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_payment(self, payment: Payment) -> None:
        try:
            with self._session.savepoint():
                self._session.run(sa.insert(t.payments), to_row(payment))
        except sa.exc.IntegrityError as error:
            raise Conflict("a payment of this order is being processed; wait for its result") from error

    def payment(self, payment_id: str) -> Payment:
        row = self._session.run(
            sa.select(t.payments).where(t.payments.c.id == payment_id), touches=(t.payments,)
        ).one_or_none()
        if row is None:
            raise NotFound(f"there is no payment {payment_id}")
        return from_row(Payment, row)

    def payments(self, order_id: str) -> list[Payment]:
        statement = sa.select(t.payments).where(t.payments.c.order_id == order_id).order_by(t.payments.c.id)
        return [from_row(Payment, row) for row in self._session.run(statement, touches=(t.payments,))]

    def settle(self, payment: Payment, *, expected: PaymentStatus) -> bool:
        new = {f"new_{name}": getattr(payment, name) for name in _SETTLED}
        return (
            self._session.run(
                _settle, {"payment": payment.id, "expected": expected, **new}, touches=(t.payments,)
            ).rowcount
            == 1
        )

    def document_for(self, kind: DocumentKind, payment_id: str) -> Document | None:
        statement = sa.select(t.documents.c.body).where(
            t.documents.c.kind == kind, t.documents.c.payment_id == payment_id
        )
        return self._read(self._session.run(statement, touches=(t.documents,)).scalar_one_or_none())

    def document(self, document_id: str) -> Document | None:
        statement = sa.select(t.documents.c.body).where(t.documents.c.id == document_id)
        return self._read(self._session.run(statement, touches=(t.documents,)).scalar_one_or_none())

    @staticmethod
    def _read(body: str | None) -> Document | None:
        return msgspec.json.decode(body, type=Document) if body else None

    def next_running(self, seller: str, kind: DocumentKind, year: int) -> tuple[int, int]:
        s = t.number_series.c
        restored = self._restored()
        key = (s.seller == seller, s.kind == kind, s.year == year, s.restored == restored)
        count_up = sa.update(t.number_series).where(*key).values(last=s.last + 1).returning(s.last)
        last = self._session.run(count_up, touches=(t.number_series,)).scalar_one_or_none()
        if last is None:
            self._open_series(seller, kind, year, restored)
            last = self._session.run(count_up, touches=(t.number_series,)).scalar_one()
        return int(last), restored

    def _restored(self) -> int:
        value = self._session.run(
            sa.select(t.settings.c.value).where(t.settings.c.name == "restored"), touches=()
        ).scalar_one_or_none()
        return int(value or 0)

    def _open_series(self, seller: str, kind: DocumentKind, year: int, restored: int) -> None:
        row = {"seller": seller, "kind": kind, "year": year, "restored": restored, "last": 0}
        insert = postgresql.insert if self._session.dialect == "postgresql" else sqlite.insert
        self._session.run(insert(t.number_series).values(row).on_conflict_do_nothing())

    def add_document(
        self, document: Document, *, seller: str, dealership: str, year: int, restored: int, running: int
    ) -> None:
        row = {
            "id": document.id,
            "kind": document.kind,
            "number": document.number,
            "seller_id": seller,
            "year": year,
            "restored": restored,
            "running": running,
            "issued_at": document.issued_at,
            "order_id": document.order_id,
            "payment_id": document.payment_id,
            "dealership": dealership,
            "body": to_json(document),
        }
        self._session.add(t.documents, row)

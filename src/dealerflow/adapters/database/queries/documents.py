"""Invoices and credit notes."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.queries.reading import behind, paged, reading
from dealerflow.application.document_views import document_item
from dealerflow.application.queries import Page, PageRequest
from dealerflow.application.views import DocumentItem
from dealerflow.domain.billing import Document

_d = t.documents.c


class SqlDocumentQueries:
    """Implements `application.queries.DocumentQueries`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of_order(self, order_id: str, page: PageRequest) -> Page[DocumentItem]:
        statement = (
            sa.select(_d.body)
            .where(_d.order_id == order_id, *behind([_d.id], page.after, down=False))
            .order_by(_d.id)
            .limit(page.limit + 1)
        )
        with reading(self._engine) as connection:
            found = [_document(body) for body in connection.execute(statement).scalars()]
        return paged([document_item(document) for document in found], page, lambda item: (item.id,))

    def latest_invoice(self, order_id: str) -> Document | None:
        statement = (
            sa.select(_d.body)
            .where(_d.order_id == order_id, _d.kind == "invoice")
            .order_by(_d.id.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            body = connection.execute(statement).scalar_one_or_none()
        return _document(body) if body else None

    def one(self, document_id: str) -> tuple[Document, str] | None:
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(_d.body, _d.dealership).where(_d.id == document_id)
            ).one_or_none()
        return (_document(row.body), row.dealership) if row else None


def _document(body: str) -> Document:
    return msgspec.json.decode(body, type=Document)

"""Loads, departures and delivery notes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row, to_json, to_row
from dealerflow.adapters.database.session import Session
from dealerflow.application.records import Load
from dealerflow.domain.errors import NotFound
from dealerflow.domain.shipping import DeliveryNote


class SqlShipping:
    """Implements `application.work.Shipping`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_load(self, load: Load) -> None:
        self._session.add(t.loads, to_row(load))

    def load(self, load_id: str, *, lock: bool = False) -> Load:
        statement = sa.select(t.loads).where(t.loads.c.id == load_id)
        row = self._session.run(
            statement.with_for_update() if lock else statement, touches=(t.loads,)
        ).one_or_none()
        if row is None:
            raise NotFound(f"there is no load {load_id}")
        return from_row(Load, row)

    def change_carrier(self, load_id: str, carrier: str | None) -> None:
        self._session.run(sa.update(t.loads).where(t.loads.c.id == load_id).values(carrier=carrier))

    def depart(self, load_id: str, at: int, cars: Iterable[tuple[str, str]]) -> bool:
        leave = (
            sa.update(t.loads)
            .where(t.loads.c.id == load_id, t.loads.c.status == "open")
            .values(status="departed", departed_at=at)
        )
        if self._session.run(leave).rowcount != 1:
            return False
        for order_id, dealership in cars:
            self._session.add(t.departures, {"load": load_id, "order_id": order_id, "dealership": dealership})
        return True

    def departed(self, load_id: str, dealership: str) -> list[str]:
        d = t.departures.c
        statement = (
            sa.select(d.order_id).where(d.load == load_id, d.dealership == dealership).order_by(d.order_id)
        )
        return list(self._session.run(statement).scalars())

    def note_for(self, load_id: str, dealership: str) -> DeliveryNote | None:
        n = t.delivery_notes.c
        return self._read(sa.select(n.body).where(n.load == load_id, n.dealership == dealership))

    def note(self, note_id: str) -> DeliveryNote | None:
        return self._read(sa.select(t.delivery_notes.c.body).where(t.delivery_notes.c.id == note_id))

    def _read(self, statement: sa.Select[tuple[str]]) -> DeliveryNote | None:
        body = self._session.run(statement, touches=(t.delivery_notes,)).scalar_one_or_none()
        return msgspec.json.decode(body, type=DeliveryNote) if body else None

    def add_note(self, note: DeliveryNote) -> None:
        row = {
            "id": note.id,
            "load": note.load,
            "dealership": note.dealership,
            "at": note.at,
            "body": to_json(note),
        }
        self._session.add(t.delivery_notes, row)

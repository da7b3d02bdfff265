"""Lines, vehicles and quality."""

from __future__ import annotations

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row, to_row
from dealerflow.adapters.database.session import Session
from dealerflow.application.records import Line, QualityFailure, Vehicle, VehicleStatus
from dealerflow.domain.errors import Conflict, NotFound
from dealerflow.domain.quality import DefectCode

_take = (
    sa.update(t.lines)
    .where(t.lines.c.id == sa.bindparam("line"), t.lines.c.taken < t.lines.c.places)
    .values(taken=t.lines.c.taken + 1)
)
_release = (
    sa.update(t.lines)
    .where(t.lines.c.id == sa.bindparam("line"), t.lines.c.taken > 0)
    .values(taken=t.lines.c.taken - 1)
)
_next_vin = (
    sa.update(t.plants)
    .where(t.plants.c.id == sa.bindparam("plant"))
    .values(last_vin=t.plants.c.last_vin + 1)
    .returning(t.plants.c.vin_code, t.plants.c.last_vin)
)


class SqlFactory:
    """Implements `application.work.Factory`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def line(self, line_id: str) -> Line | None:
        row = self._session.run(
            sa.select(t.lines).where(t.lines.c.id == line_id), touches=(t.lines,)
        ).one_or_none()
        return from_row(Line, row, json=("models",)) if row else None

    def lines(self) -> list[Line]:
        rows = self._session.run(sa.select(t.lines).order_by(t.lines.c.id), touches=(t.lines,))
        return [from_row(Line, row, json=("models",)) for row in rows]

    def take_place(self, line_id: str) -> bool:
        return self._session.run(_take, {"line": line_id}, touches=(t.lines,)).rowcount == 1

    def release_place(self, line_id: str) -> None:
        self._session.run(_release, {"line": line_id}, touches=(t.lines,))

    def next_serial(self, plant: str) -> tuple[str, int]:
        row = self._session.run(_next_vin, {"plant": plant}, touches=(t.plants,)).one_or_none()
        if row is None:
            raise NotFound(f"there is no plant {plant}")
        return row.vin_code, int(row.last_vin)

    def vin_is_used(self, vin: str) -> bool:
        used = sa.select(t.vehicles.c.id).where(t.vehicles.c.vin == vin)
        return self._session.run(used, touches=(t.vehicles,)).first() is not None

    def add_vehicle(self, vehicle: Vehicle) -> None:
        if self.vin_is_used(vehicle.vin):
            raise Conflict(f"the VIN {vehicle.vin} is in use; a VIN is given to one car for ever")
        self._session.add(t.vehicles, to_row(vehicle))

    def vehicle(self, vehicle_id: str) -> Vehicle:
        row = self._session.run(
            sa.select(t.vehicles).where(t.vehicles.c.id == vehicle_id), touches=(t.vehicles,)
        ).one_or_none()
        if row is None:
            raise NotFound(f"there is no vehicle {vehicle_id}")
        return from_row(Vehicle, row)

    def set_vehicle_status(self, vehicle_id: str, status: VehicleStatus) -> None:
        self._session.run(
            sa.update(t.vehicles).where(t.vehicles.c.id == vehicle_id).values(status=status),
            touches=(t.vehicles,),
        )

    def defect_codes(self) -> list[DefectCode]:
        rows = self._session.run(
            sa.select(t.defect_codes).order_by(t.defect_codes.c.rank, t.defect_codes.c.code),
            touches=(t.defect_codes,),
        )
        return [from_row(DefectCode, row, json=("title",)) for row in rows]

    def add_failure(self, failure: QualityFailure) -> None:
        row = to_row(failure)
        defects = row.pop("defects")
        self._session.add(t.failures, row)
        for code in dict.fromkeys(defects):
            self._session.add(t.failure_defects, {"failure": failure.id, "code": code})

    def failure(self, step: str) -> QualityFailure | None:
        row = self._session.run(sa.select(t.failures).where(t.failures.c.step == step)).one_or_none()
        return self._with_defects(row) if row else None

    def failures(self, order_id: str) -> list[QualityFailure]:
        rows = self._session.run(
            sa.select(t.failures)
            .where(t.failures.c.order_id == order_id)
            .order_by(t.failures.c.at, t.failures.c.id)
        ).all()
        return [self._with_defects(row) for row in rows]

    def _with_defects(self, row: sa.Row[tuple[object, ...]]) -> QualityFailure:
        codes = (
            sa.select(t.failure_defects.c.code)
            .where(t.failure_defects.c.failure == row._mapping["id"])
            .order_by(t.failure_defects.c.code)
        )
        return QualityFailure(**dict(row._mapping), defects=tuple(self._session.run(codes).scalars()))

    def add_receipt(
        self, *, step: str, order_id: str, condition: str, note: str | None, at: int, by: str
    ) -> None:
        self._session.add(
            t.receipts,
            {"step": step, "order_id": order_id, "condition": condition, "note": note, "at": at, "by": by},
        )

"""Reference data: few rows, written seldom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.repositories.people import SqlPeople
from dealerflow.adapters.database.rows import from_row, to_json, to_row
from dealerflow.adapters.database.session import Session
from dealerflow.application.records import Dealership, Line, Seller
from dealerflow.application.reference import Plant, Subscription
from dealerflow.domain.catalogue import Catalogue
from dealerflow.domain.people import Account
from dealerflow.domain.quality import DefectCode

SNAPSHOT = "snapshot"  # the name of the setting that counts intake's snapshots


class SqlReference:
    """Implements `application.reference.Reference`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def plants(self) -> list[Plant]:
        return [from_row(Plant, row) for row in self._run(sa.select(t.plants).order_by(t.plants.c.id))]

    def put_plant(self, plant: Plant) -> None:
        self._put(t.plants, to_row(plant))

    def put_line(self, line: Line) -> None:
        row = to_row(line, json=("models",))
        del row["taken"]
        self._put(t.lines, row)

    def put_defect_codes(self, codes: Sequence[DefectCode]) -> None:
        self._run(sa.delete(t.defect_codes))
        rows = [{**to_row(code, json=("title",)), "rank": rank} for rank, code in enumerate(codes)]
        if rows:
            self._run(sa.insert(t.defect_codes), rows)

    def sellers(self) -> list[Seller]:
        return [from_row(Seller, row) for row in self._run(sa.select(t.sellers).order_by(t.sellers.c.id))]

    def put_seller(self, seller: Seller) -> None:
        self._put(t.sellers, to_row(seller))

    def has_numbers(self, seller_id: str) -> bool:
        issued = sa.select(t.number_series.c.last).where(t.number_series.c.seller == seller_id)
        return self._run(issued.limit(1)).first() is not None

    def dealerships(self) -> list[Dealership]:
        rows = self._run(sa.select(t.dealerships).order_by(t.dealerships.c.id))
        return [from_row(Dealership, row, json=("models", "terms")) for row in rows]

    def put_dealership(self, dealership: Dealership) -> None:
        self._put(t.dealerships, to_row(dealership, json=("models", "terms")))

    def catalogue(self) -> Catalogue | None:
        newest = sa.select(t.catalogues).order_by(t.catalogues.c.version.desc()).limit(1)
        row = self._run(newest).one_or_none()
        return msgspec.json.decode(row.body, type=Catalogue) if row else None

    def add_catalogue(self, catalogue: Catalogue, at: int) -> int:
        newest = self._run(sa.select(sa.func.max(t.catalogues.c.version))).scalar() or 0
        kept = msgspec.structs.replace(catalogue, version=newest + 1)
        self._run(sa.insert(t.catalogues).values(version=kept.version, body=to_json(kept), at=at))
        return kept.version

    def accounts(self) -> list[Account]:
        return sorted(SqlPeople(self._session).accounts(), key=lambda account: account.email)

    def put_account(self, account: Account, password_hash: str | None) -> None:
        row = to_row(account)
        memberships = row.pop("memberships")
        if password_hash is not None:
            row["password_hash"] = password_hash
        # "" is the hash of no password: nobody can log in with it.
        self._put(t.accounts, row, new={"password_hash": ""})
        self._run(sa.delete(t.memberships).where(t.memberships.c.account == account.id))
        held = [{"account": account.id, **to_row(member)} for member in dict.fromkeys(memberships)]
        if held:
            self._run(sa.insert(t.memberships), held)

    def subscriptions(self) -> list[Subscription]:
        s = t.topic_subscriptions.c
        rows = self._run(sa.select(s.topic, s.kind, s.target).order_by(s.topic, s.kind, s.target))
        return [from_row(Subscription, row) for row in rows]

    def subscribe(self, subscription: Subscription) -> None:
        if subscription not in self.subscriptions():
            row = to_row(subscription)
            self._run(sa.insert(t.topic_subscriptions).values(id=":".join(row.values()), **row))

    def unsubscribe(self, subscription: Subscription) -> bool:
        s = t.topic_subscriptions.c
        same = [s[name] == value for name, value in to_row(subscription).items()]
        return bool(self._run(sa.delete(t.topic_subscriptions).where(*same)).rowcount)

    def snapshot_number(self) -> int:
        row = self._run(sa.select(t.settings.c.value).where(t.settings.c.name == SNAPSHOT)).scalar()
        return int(row or 0)

    def raise_snapshot_number(self) -> None:
        # In one statement: of two who change something at once each gets a number of its own.
        insert = postgresql.insert if self._session.dialect == "postgresql" else sqlite.insert
        one_more = sa.cast(sa.cast(t.settings.c.value, sa.BigInteger) + 1, sa.Text)
        first = insert(t.settings).values(name=SNAPSHOT, value="1")
        self._run(first.on_conflict_do_update(index_elements=["name"], set_={"value": one_more}))

    def _put(self, table: sa.Table, row: dict[str, Any], *, new: dict[str, Any] | None = None) -> None:
        """Change the row with this key (the first column), or add it, with the values of `new` for what it
        does not name.
        """
        key = next(iter(table.primary_key))
        changed = self._run(sa.update(table).where(key == row[key.name]).values(row)).rowcount
        if not changed:
            self._run(sa.insert(table).values({**(new or {}), **row}))

    def _run(self, statement: Any, parameters: Any = None) -> sa.CursorResult[Any]:
        return self._session.run(statement, parameters)

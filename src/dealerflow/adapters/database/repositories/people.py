"""Dealerships, sellers and accounts, as handlers read them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row
from dealerflow.adapters.database.session import Session
from dealerflow.application.records import Dealership, Seller
from dealerflow.domain.errors import NotFound
from dealerflow.domain.people import Account, Membership

_dealership = sa.select(t.dealerships).where(t.dealerships.c.id == sa.bindparam("id"))
_seller = sa.select(t.sellers).where(t.sellers.c.id == sa.bindparam("id"))


class SqlPeople:
    """Implements `application.work.People`. Dealerships and sellers are read once for each unit of work."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dealerships: dict[str, Dealership] = {}
        self._sellers: dict[str, Seller] = {}

    def dealership(self, dealership_id: str) -> Dealership:
        if dealership_id not in self._dealerships:
            row = self._session.run(
                _dealership, {"id": dealership_id}, touches=(t.dealerships,)
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no dealership {dealership_id}")
            self._dealerships[dealership_id] = from_row(Dealership, row, json=("models", "terms"))
        return self._dealerships[dealership_id]

    def seller(self, seller_id: str) -> Seller:
        if seller_id not in self._sellers:
            row = self._session.run(_seller, {"id": seller_id}, touches=(t.sellers,)).one_or_none()
            if row is None:
                raise NotFound(f"there is no seller {seller_id}")
            self._sellers[seller_id] = from_row(Seller, row)
        return self._sellers[seller_id]

    def accounts(self) -> list[Account]:
        """All of them, by id."""
        return self._accounts()

    def account(self, account_id: str, *, lock: bool = False) -> Account | None:
        return next(iter(self._accounts(t.accounts.c.id == account_id, lock=lock)), None)

    def account_by_email(self, email: str) -> Account | None:
        """The account that logs in with this address (lower case), active or not."""
        return next(iter(self._accounts(t.accounts.c.email == email.lower())), None)

    def accounts_with(self, role: str, scope: str | None = None) -> list[Account]:
        m = t.memberships.c
        held = sa.select(m.account).where(m.role == role)
        if scope is not None:
            held = held.where(m.scope.in_([scope, ""]))
        return self._accounts(t.accounts.c.active, t.accounts.c.id.in_(held))

    def accounts_in(self, scope: str) -> list[Account]:
        held = sa.select(t.memberships.c.account).where(t.memberships.c.scope == scope)
        return self._accounts(t.accounts.c.id.in_(held))

    def _accounts(self, *conditions: sa.ColumnElement[bool], lock: bool = False) -> list[Account]:
        a, m = t.accounts.c, t.memberships.c
        columns = (a.id, a.email, a.name, a.language, a.active, a.epoch)
        found = sa.select(*columns).where(*conditions).order_by(a.id)
        rows = self._session.run(found.with_for_update() if lock else found, touches=(t.accounts,)).all()
        held = (
            sa.select(m.account, m.role, m.scope)
            .where(m.account.in_([row.id for row in rows]))
            .order_by(m.role, m.scope)
        )
        memberships = self._session.run(held, touches=(t.memberships,)).all() if rows else []
        return [_account(row, (member for member in memberships if member.account == row.id)) for row in rows]


def _account(row: sa.Row[tuple[object, ...]], members: Iterable[sa.Row[tuple[str, str, str]]]) -> Account:
    held = tuple(Membership(role=member.role, scope=member.scope) for member in members)
    return Account(**dict(row._mapping), memberships=held)

"""Accounts as they log in, and their sessions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.rows import to_row
from dealerflow.adapters.database.tables import accounts, memberships, sessions
from dealerflow.application.access import Credentials, Session
from dealerflow.domain.people import Account, Membership

_a, _m, _s = accounts.c, memberships.c, sessions.c
_ACCOUNT = (_a.id, _a.email, _a.name, _a.language, _a.active, _a.epoch)
_HELD = (_m.role, _m.scope)
_with_memberships = sa.outerjoin(accounts, memberships, _m.account == _a.id)

# One statement each: a row for each membership, or one with none.
_by_id = sa.select(*_ACCOUNT, *_HELD).select_from(_with_memberships).where(_a.id == sa.bindparam("this"))
_by_email = (
    sa.select(*_ACCOUNT, _a.password_hash, *_HELD)
    .select_from(_with_memberships)
    .where(_a.email == sa.bindparam("this"))
)
_by_session = (
    sa.select(*_ACCOUNT, *_HELD, *(column.label(f"session_{column.name}") for column in _s))
    .select_from(_with_memberships.join(sessions, _s.account == _a.id))
    .where(_s.id == sa.bindparam("this"))
)


class SqlAccess:
    """Implements `application.access.AccessStore`; each method is one short transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def account(self, account_id: str) -> Account | None:
        rows = self._read(_by_id, account_id)
        return _account(rows) if rows else None

    def credentials(self, email: str) -> Credentials | None:
        rows = self._read(_by_email, email.lower())
        return Credentials(account=_account(rows), password_hash=rows[0].password_hash) if rows else None

    def open_session(self, session: Session) -> None:
        self._write(sa.insert(sessions).values(to_row(session)))

    def session(self, session_id: str) -> tuple[Session, Account] | None:
        rows = self._read(_by_session, session_id)
        if not rows:
            return None
        first = rows[0]._mapping
        return Session(**{column.name: first[f"session_{column.name}"] for column in _s}), _account(rows)

    def prolong(self, session_id: str, expires_at: int) -> None:
        self._write(sa.update(sessions).where(_s.id == session_id).values(expires_at=expires_at))

    def end_session(self, session_id: str) -> None:
        self._write(sa.delete(sessions).where(_s.id == session_id))

    def forget_sessions(self, ended_before: int) -> int:
        return self._write(sa.delete(sessions).where(_s.expires_at <= ended_before))

    def _read(self, statement: sa.Select[Any], this: str) -> list[sa.Row[Any]]:
        with transaction(self._engine, "read") as connection:
            return list(connection.execute(statement, {"this": this}))

    def _write(self, statement: sa.Insert | sa.Update | sa.Delete) -> int:
        with transaction(self._engine) as connection:
            return connection.execute(statement).rowcount


def _account(rows: list[sa.Row[Any]]) -> Account:
    held = tuple(Membership(role=row.role, scope=row.scope) for row in rows if row.role is not None)
    first = rows[0]._mapping
    return Account(**{column.name: first[column.name] for column in _ACCOUNT}, memberships=held)

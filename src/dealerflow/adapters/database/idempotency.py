"""The answers kept for repeated calls, in the table `idempotency` of the main database."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dealerflow.adapters.database.rows import to_json
from dealerflow.adapters.database.session import Session
from dealerflow.adapters.database.tables import idempotency
from dealerflow.application.calls import Answer, Call, Kept

RESERVED = 0  # the status of a call that is being worked

_c = idempotency.c
_insert_if_new = {
    "sqlite": sqlite.insert(idempotency).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(idempotency).on_conflict_do_nothing(),
}
_find = sa.select(_c.request, _c.status, _c.headers, _c.body).where(
    _c.key == sa.bindparam("this"), _c.at > sa.bindparam("since", type_=sa.BigInteger), _c.status != RESERVED
)
_too_old = sa.delete(idempotency).where(
    _c.key == sa.bindparam("this"), _c.at <= sa.bindparam("since", type_=sa.BigInteger)
)
_only = (idempotency,)


class SqlKeptAnswers:
    """Implements `application.calls.KeptAnswers`. Of two calls with one key the second waits for the first one's commit."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def reserve(self, call: Call, *, at: int, since: int) -> Kept | None:
        self._session.run(_too_old, {"this": call.key, "since": since}, touches=_only)
        row = {
            "key": call.key,
            "request": call.request,
            "status": RESERVED,
            "headers": "{}",
            "body": "",
            "at": at,
        }
        insert = _insert_if_new[self._session.dialect]
        if self._session.run(insert, row, touches=_only).rowcount == 1:
            return None
        return self.answered(call.key, since=since)

    def answered(self, key: str, *, since: int) -> Kept | None:
        row = self._session.run(_find, {"this": key, "since": since}, touches=_only).one_or_none()
        if row is None:
            return None
        headers = msgspec.json.decode(row.headers, type=dict[str, str])
        return Kept(
            request=row.request, answer=Answer(status=row.status, body=row.body.encode(), headers=headers)
        )

    def keep(self, key: str, answer: Answer) -> None:
        kept = {"status": answer.status, "headers": to_json(answer.headers), "body": answer.body.decode()}
        self._session.run(sa.update(idempotency).where(_c.key == key).values(kept), touches=_only)

    def release(self, key: str) -> None:
        self._session.run(sa.delete(idempotency).where(_c.key == key), touches=_only)

    def forget(self, before: int) -> int:
        return self._session.run(sa.delete(idempotency).where(_c.at <= before), touches=_only).rowcount

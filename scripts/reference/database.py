"""docs/reference/database.md, from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database.tables import metadata
from scripts.reference.markdown import code, table
from scripts.reference.markdown import page as markdown_page

POSTGRESQL: Any = sa.dialects.registry.load("postgresql")()  # names types as people know them

MEANINGS = {
    "queues": "Each queue that is known: whether it is paused, or closed for a while because what it needs is away.",
    "message_groups": "The turn of each group in each queue, see [fair turns](../explanation/how-nothing-is-lost.md#fair-turns).",
    "messages": "The message store: a row is a message that is ready, delayed, held or dead. A row that is gone is done.",
    "discarded_messages": "Dead letters that somebody discarded, with the reason.",
    "spools": "How far each spool has been drained.",
    "settings": "Numbers of the installation, such as that of the snapshot for intake.",
    "sellers": "Legal entities that invoice.",
    "number_series": "The last number of each series of documents. A restore of a backup opens new series: `restored`.",
    "dealerships": "Dealerships; `models` null sells them all.",
    "plants": "Plants, with the maker's code of their VINs and the last number.",
    "lines": "Assembly lines: places, and how many are taken.",
    "defect_codes": "What can be wrong with a car.",
    "catalogues": "Every version of the catalogue.",
    "pipelines": "The text of every pipeline that an order may follow.",
    "accounts": "People who can log in. A raised `epoch` voids their tokens and sessions.",
    "memberships": "Roles of accounts, each in a scope; an empty scope is everywhere.",
    "sessions": "Logins; the id is a hash of the cookie.",
    "customers": "The customers' personal data, in this one place. The `…_key` columns are for searching.",
    "orders": "Where each order stands.",
    "revisions": "What was ordered, with labels and prices as they were.",
    "entries": "One row for each entry of an order into a state.",
    "vehicles": "Every car that was begun, also scrapped ones.",
    "quality_failures": "Failed quality checks.",
    "failure_defects": "The defects of each.",
    "receipts": "In which condition dealerships received cars.",
    "payments": "Payments and what became of them.",
    "documents": "Invoices and credit notes; they never change.",
    "loads": "Loads of cars.",
    "delivery_notes": "One note for each load and dealership.",
    "departures": "Which cars left with which load.",
    "events": "What happened. `position` is given by the sequencer after the commit.",
    "mails": "The mail log: one row for each mail to one recipient. `key` keeps a mail from being asked for twice.",
    "topic_subscriptions": "Who gets what is published to a topic.",
    "webhooks": "Subscribed URLs.",
    "webhook_deliveries": "The delivery log: one row for each event and webhook.",
    "executions": "On AWS: the present Step Functions execution of each order, and the token with which it waits.",
    "idempotency": "Answers to calls with an `Idempotency-Key`, kept for a day.",
}

INTRODUCTION = """The tables of the main database, the same on SQLite and PostgreSQL. Times are milliseconds
since 1970 in UTC, money is in minor units, JSON is text. They are declared in
`src/dealerflow/adapters/database/tables.py` and made by the migrations beside it, which run by themselves
when the program starts.

Read them as you like; write to them through the program only. Looking at a running SQLite database needs
[a safe version](../decisions/0007-a-safe-sqlite.md)."""

SPOOL = """## The spool

`intake.db` beside the main database is always SQLite, and only the web process writes to it.

| table | holds |
|---|---|
| `spool` | accepted orders by position, as JSON, until they are drained |
| `idempotency` | answers to `POST /orders` with an `Idempotency-Key`, kept for a day |
| `snapshot` | catalogue and dealerships as intake knows them |
| `meta` | the spool's id |"""


def page() -> str:
    """The page."""
    tables = "\n\n".join("\n\n".join(_table(one)) for one in metadata.tables.values())
    return markdown_page("Database", INTRODUCTION, tables, SPOOL)


def _table(one: sa.Table) -> Iterator[str]:
    yield f"## `{one.name}`"
    yield MEANINGS[one.name]
    yield table(("column", "type", "", "default"), (_column(column) for column in one.columns))
    if unique := sorted(_unique(one)):
        yield "Unique: " + "; ".join(unique) + "."


def _column(column: sa.Column[object]) -> tuple[str, str, str, str]:
    marks = ["key"] if column.primary_key else []
    marks += [] if column.primary_key or not column.nullable else ["may be null"]
    marks += [f"→ `{key.target_fullname}`" for key in column.foreign_keys]
    kind = column.type.compile(POSTGRESQL).split(" COLLATE")[0].lower()
    return f"`{column.name}`", kind, ", ".join(marks), _default(column)


def _default(column: sa.Column[object]) -> str:
    default = column.server_default
    if not isinstance(default, sa.DefaultClause):
        return ""
    text = default.arg if isinstance(default.arg, str) else str(default.arg.compile(dialect=POSTGRESQL))
    return f"`{text}`" if text else "empty"


def _unique(one: sa.Table) -> Iterator[str]:
    for constraint in one.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield code(column.name for column in constraint.columns)
    for index in one.indexes:
        if index.unique:
            where = index.dialect_options["sqlite"].get("where")
            text = (
                "" if where is None else f" where `{where.compile(compile_kwargs={'literal_binds': True})}`"
            )
            yield code(column.name for column in index.columns) + text

"""All tables. Times are in milliseconds since the epoch (UTC), money in minor units, JSON is text made by msgspec.

The same definitions serve SQLite and PostgreSQL. A change needs a migration (`migrations/versions`); a test compares the two.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dealerflow.domain.ids import SHORT_DIGITS

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BIG = sa.BigInteger
# SQLite only numbers rows by itself for INTEGER PRIMARY KEY.
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Text, primary_key=True)


def _text(name: str, **more: object) -> sa.Column[str]:
    more.setdefault("nullable", False)
    return sa.Column(name, sa.Text, **more)  # type: ignore[arg-type]


def _int(name: str, **more: object) -> sa.Column[int]:
    more.setdefault("nullable", False)
    return sa.Column(name, BIG, **more)  # type: ignore[arg-type]


def _maybe(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text)


def _maybe_int(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG)


def _key(name: str) -> sa.Column[str]:
    # Compared by code points, so that everything with one beginning stands together, whatever language the database is in.
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"))


# --- the message store -------------------------------------------------------------------------------------------------

queues = sa.Table(
    "queues",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
    # The turn that was claimed last; a group that was idle joins here instead of catching up (start-time fair queueing).
    _int("turn", server_default="0"),
    # An unreachable dependency: nothing is claimed before this time, and no attempt is counted.
    _int("closed_until", server_default="0"),
)

groups = sa.Table(
    "message_groups",
    metadata,
    sa.Column("queue", sa.Text, primary_key=True),
    sa.Column("group", sa.Text, primary_key=True),
    _int("turn", server_default="0"),
)

# A message is "ready" (in its turn), "delayed" (until available_at; its turn is given when it is due, 0 until then), "held" by a
# worker under a lease, or "dead". Each state has its own small index, so that neither a million waiting messages, nor delayed or
# dead ones, cost a claim anything. SQLite keeps the rows in the order of their ids, without a second tree.
messages = sa.Table(
    "messages",
    metadata,
    _id(),
    _text("queue"),
    _text("group", server_default=""),
    _text("state"),
    _int("turn", server_default="0"),
    _maybe("order_id"),
    _text("body"),
    _maybe("trace"),
    _int("sent_at"),
    _int("available_at"),
    _int("attempts", server_default="0"),
    # Its worker died, or froze, with this in its hands: it is worked alone from now on.
    sa.Column("suspect", sa.Boolean, nullable=False, server_default=sa.false()),
    _maybe("lease"),
    _maybe("owner"),
    _maybe_int("lease_until"),
    _maybe_int("died_at"),
    _maybe("error"),
    sqlite_with_rowid=False,
)


def _index_of_state(name: str, state: str, *columns: sa.Column[Any]) -> None:
    where = sa.text(
        f"state = '{state}'"
    )  # a literal: SQLite uses a partial index only where the query says the same
    sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


_index_of_state(
    "ix_messages_ready",
    "ready",
    messages.c.queue,
    messages.c.turn,
    messages.c.id,
    messages.c.group,
    messages.c.sent_at,
)
_index_of_state("ix_messages_delayed", "delayed", messages.c.queue, messages.c.available_at, messages.c.id)
_index_of_state("ix_messages_held", "held", messages.c.queue, messages.c.owner, messages.c.group)
_index_of_state("ix_messages_dead", "dead", messages.c.queue, messages.c.id)
sa.Index("ix_messages_order", messages.c.order_id)

discarded = sa.Table(
    "discarded_messages",
    metadata,
    _id(),
    _text("queue"),
    _maybe("order_id"),
    _text("body"),
    _int("at"),
    _text("by"),
    _text("reason"),
    _maybe("error"),
)

spools = sa.Table("spools", metadata, _id(), _int("position", server_default="0"))

# --- reference data ----------------------------------------------------------------------------------------------------

settings = sa.Table("settings", metadata, sa.Column("name", sa.Text, primary_key=True), _text("value"))

sellers = sa.Table(
    "sellers",
    metadata,
    _id(),
    _text("name"),
    _text("address"),
    _text("tax_id"),
    _text("country"),
    _text("timezone"),
    _text("currency"),
    _int("tax_rate"),
    _text("number_prefix"),
    sa.UniqueConstraint("number_prefix"),
)

number_series = sa.Table(
    "number_series",
    metadata,
    sa.Column("seller", sa.Text, sa.ForeignKey("sellers.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("year", BIG, primary_key=True),
    sa.Column("restored", BIG, primary_key=True, server_default="0"),
    _int("last", server_default="0"),
)

dealerships = sa.Table(
    "dealerships",
    metadata,
    _id(),
    _text("name"),
    _text("email"),
    sa.Column("seller", sa.Text, sa.ForeignKey("sellers.id"), nullable=False),
    _text("delivery_line"),
    _maybe("models"),
    _text("terms"),
    _text("language", server_default="en"),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
)

plants = sa.Table(
    "plants", metadata, _id(), _text("name"), _text("vin_code"), _int("last_vin", server_default="0")
)

lines = sa.Table(
    "lines",
    metadata,
    _id(),
    sa.Column("plant", sa.Text, sa.ForeignKey("plants.id"), nullable=False),
    _text("name"),
    _maybe("models"),
    _int("places"),
    _int("taken", server_default="0"),
)

defect_codes = sa.Table(
    "defect_codes",
    metadata,
    sa.Column("code", sa.Text, primary_key=True),
    _text("title"),
    _int("rank", server_default="0"),
)

catalogues = sa.Table(
    "catalogues", metadata, sa.Column("version", SERIAL, primary_key=True), _text("body"), _int("at")
)

pipelines = sa.Table("pipelines", metadata, _id(), _text("name"), _int("version"), _text("body"), _int("at"))

accounts = sa.Table(
    "accounts",
    metadata,
    _id(),
    _text("email"),
    _text("name"),
    _text("password_hash"),
    _text("language", server_default="en"),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    # Raised to make every token and session of the account void.
    _int("epoch", server_default="0"),
    sa.UniqueConstraint("email"),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    # A dealership's, plant's or line's id, by role; "" is everything.
    sa.Column("scope", sa.Text, primary_key=True, server_default=""),
)

sessions = sa.Table(
    "sessions",
    metadata,
    _id(),
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
    # The account's at login: a session of an older epoch is void.
    _int("epoch"),
    _int("created_at"),
    _int("expires_at"),
    sa.Index("ix_sessions_expires_at", "expires_at"),
)

# --- orders and cars ---------------------------------------------------------------------------------------------------

customers = sa.Table(
    "customers",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    _text("name"),
    _text("email"),
    _maybe("phone"),
    _text("language"),
    _maybe("company"),
    _maybe("address"),
    _maybe("tax_id"),
    # What a search compares with, see `search`: folded e-mail address, name, what follows the first name, the last of many.
    _key("email_key"),
    _key("name_key"),
    _key("surname_key"),
    _key("last_name_key"),
    sa.Index("ix_customers_email_key", "email_key"),
    sa.Index("ix_customers_name_key", "name_key"),
    sa.Index("ix_customers_surname_key", "surname_key"),
    sa.Index("ix_customers_last_name_key", "last_name_key"),
)

orders = sa.Table(
    "orders",
    metadata,
    _id(),
    _text("dealership"),
    _text("state"),
    _text("step"),
    _int("entered_at"),
    _int("placed_at"),
    _text("pipeline"),
    _int("price"),
    _text("currency"),
    _text("terms"),
    _int("paid", server_default="0"),
    _text("language", server_default="en"),
    _int("revision", server_default="1"),
    _text("model"),
    _maybe("decision"),
    _maybe("decided_by"),
    _maybe("vehicle"),
    _maybe("line"),
    _maybe("line_place"),
    _int("failures", server_default="0"),
    _maybe("load"),
    _int("link_number", server_default="0"),
    _text("facts", server_default="{}"),
    # Each sort of a list has its index: a page costs the same whatever waits. Only the first three change with a move.
    # The model is in the first one for the queues of the lines, which are counted by model.
    sa.Index("ix_orders_state", "state", "entered_at", "id", "model"),
    sa.Index("ix_orders_state_placed", "state", "placed_at", "id"),
    sa.Index("ix_orders_dealership", "dealership", "state", "entered_at", "id"),
    sa.Index("ix_orders_dealership_placed", "dealership", "placed_at", "id"),
    sa.Index("ix_orders_placed", "placed_at", "id"),
    sa.Index("ix_orders_model", "model", "placed_at", "id"),
    sa.Index("ix_orders_line", "line", "placed_at", "id"),
    sa.Index("ix_orders_load", "load"),
    sa.Index("ix_orders_vehicle", "vehicle"),
    # How ids end, see `search.is_called`.
    sa.Index("ix_orders_short", sa.text(f"substr(id, length(id) - {SHORT_DIGITS - 1})")),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("number", BIG, primary_key=True),
    _int("catalogue_version"),
    _text("model"),
    _text("trim"),
    _text("colour"),
    _text("options"),
    _text("labels"),
    _text("lines"),
    _int("price"),
    _text("currency"),
    _maybe("note"),
    _text("vin_code", server_default=""),
    _int("at"),
)

# One row for each entry into a state: how often an order was where, and for how long.
entries = sa.Table(
    "entries",
    metadata,
    sa.Column("step", sa.Text, primary_key=True),
    _text("order_id"),
    _text("state"),
    _int("entered_at"),
    _maybe_int("left_at"),
    _maybe("outcome"),
    _maybe("by"),
    # What the auditor needs to know which mails were due: the pipeline of that time, and whether actions were left out.
    _text("pipeline"),
    sa.Column("silent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_entries_order", "order_id", "state"),
    sa.Index("ix_entries_state", "state", "entered_at"),
)

vehicles = sa.Table(
    "vehicles",
    metadata,
    _id(),
    _text("vin"),
    _text("plant"),
    _text("status"),
    _maybe("order_id"),
    _int("at"),
    sa.UniqueConstraint("vin"),
    sa.Index("ix_vehicles_order", "order_id"),
)

failures = sa.Table(
    "quality_failures",
    metadata,
    _id(),
    _text("order_id"),
    _maybe("vehicle"),
    _text("step"),
    _int("at"),
    _text("by"),
    _maybe("note"),
    sa.UniqueConstraint("step"),
    sa.Index("ix_quality_failures_order", "order_id"),
)

failure_defects = sa.Table(
    "failure_defects",
    metadata,
    sa.Column("failure", sa.Text, sa.ForeignKey("quality_failures.id"), primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("step", sa.Text, primary_key=True),
    _text("order_id"),
    _text("condition"),
    _maybe("note"),
    _int("at"),
    _text("by"),
    sa.Index("ix_receipts_order", "order_id"),
)

# --- money -------------------------------------------------------------------------------------------------------------

payments = sa.Table(
    "payments",
    metadata,
    _id(),
    _text("order_id"),
    _int("amount"),
    _text("currency"),
    _text("before"),
    _text("method"),
    _text("status"),
    _int("received_at"),
    _maybe_int("settled_at"),
    _maybe("reference"),
    _maybe("reason"),
    _maybe_int("refunded_at"),
    sa.Index("ix_payments_order", "order_id", "id"),
    sa.Index("ix_payments_status", "status"),
)
# Of each order at most one payment is being processed.
sa.Index(
    "uq_payments_processing",
    payments.c.order_id,
    unique=True,
    sqlite_where=payments.c.status == "received",
    postgresql_where=payments.c.status == "received",
)

documents = sa.Table(
    "documents",
    metadata,
    _id(),
    _text("kind"),
    _text("number"),
    sa.Column("seller_id", sa.Text, sa.ForeignKey("sellers.id"), nullable=False),
    _int("year"),
    _int("restored", server_default="0"),
    _int("running"),
    _int("issued_at"),
    _text("order_id"),
    _text("payment_id"),
    _text("dealership"),
    _text("body"),
    sa.UniqueConstraint("kind", "payment_id", name="uq_documents_payment"),
    sa.UniqueConstraint("number"),
    sa.UniqueConstraint("seller_id", "kind", "year", "restored", "running", name="uq_documents_running"),
    sa.Index("ix_documents_order", "order_id"),
)

# --- loads -------------------------------------------------------------------------------------------------------------

loads = sa.Table(
    "loads",
    metadata,
    _id(),
    _text("plant"),
    _maybe("carrier"),
    _text("status"),
    _text("created_by"),
    _int("created_at"),
    _maybe_int("departed_at"),
    sa.Index("ix_loads_status", "status", "id"),
)

delivery_notes = sa.Table(
    "delivery_notes",
    metadata,
    _id(),
    _text("load"),
    _text("dealership"),
    _int("at"),
    _text("body"),
    sa.UniqueConstraint("load", "dealership", name="uq_delivery_notes_load"),
    sa.Index("ix_delivery_notes_dealership", "dealership", "id"),
)

# Which cars left with a load: written at its departure, the ledger that delivery notes are audited against.
departures = sa.Table(
    "departures",
    metadata,
    sa.Column("load", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
    _text("dealership"),
    sa.Index("ix_departures_order", "order_id"),
)

# --- what happened, and who is told --------------------------------------------------------------------------------------

events = sa.Table(
    "events",
    metadata,
    sa.Column("n", SERIAL, primary_key=True),
    _text("id"),
    _maybe_int("position"),
    _text("type"),
    _int("at"),
    _maybe("dealership"),
    _maybe("order_id"),
    _maybe("state"),
    _maybe("step"),
    _maybe("outcome"),
    _maybe("by"),
    _text("details", server_default="{}"),
    sa.UniqueConstraint("id"),
    sa.UniqueConstraint("position"),
    sa.Index("ix_events_order", "order_id", "n"),
    sqlite_autoincrement=True,
)

mails = sa.Table(
    "mails",
    metadata,
    _id(),
    # Made from the step, the action and the recipient: the same mail cannot be asked for twice. Also the Message-ID's local part.
    _text("key"),
    _maybe("order_id"),
    _text("template"),
    # Who it is for: "customer", "dealership", "account" or "address", and which (the order, dealership, account or address).
    _text("recipient_kind"),
    _text("recipient"),
    _text("language"),
    _text("facts", server_default="{}"),
    _maybe("attachment"),
    _text("status"),
    _maybe("subject"),
    _int("at"),
    _maybe_int("sent_at"),
    sa.UniqueConstraint("key"),
    sa.Index("ix_mails_order", "order_id"),
    sa.Index("ix_mails_status", "status"),
)

topic_subscriptions = sa.Table(
    "topic_subscriptions",
    metadata,
    _id(),
    _text("topic"),
    # "role", "address", "url" or "queue"
    _text("kind"),
    _text("target"),
    sa.UniqueConstraint("topic", "kind", "target", name="uq_topic_subscriptions_target"),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    _id(),
    # "" is the factory (all events), else a dealership (its own).
    _text("dealership", server_default=""),
    _text("url"),
    _text("event_types"),
    _text("secret"),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    _int("created_at"),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    _id(),
    sa.Column("webhook", sa.Text, sa.ForeignKey("webhooks.id"), nullable=False),
    _text("event"),
    _text("status"),
    _int("attempts", server_default="0"),
    _maybe_int("response"),
    _maybe("error"),
    _int("at"),
    _maybe_int("delivered_at"),
    sa.UniqueConstraint("webhook", "event", name="uq_webhook_deliveries_event"),
    sa.Index("ix_webhook_deliveries_webhook", "webhook", "id"),
)

# --- state machines outside (Step Functions) ---------------------------------------------------------------------------

# Where an order's state machine stands: its present execution, and the token with which it waits at this step. One machine
# has none: there the order's row is all.
executions = sa.Table(
    "executions",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    _text("arn"),
    _text("step"),
    # How many executions there were before this one: it makes the names of executions different.
    _int("restarts", server_default="0"),
    _int("started_at"),
    # When the execution entered its present state, as it says itself: a retry of that entry is known by it.
    _maybe("entered"),
    _maybe("token"),
    sa.Index("ix_executions_started_at", "started_at"),
)

# --- idempotency of calls ------------------------------------------------------------------------------------------------

idempotency = sa.Table(
    "idempotency",
    metadata,
    # caller, method, path and key
    sa.Column("key", sa.Text, primary_key=True),
    _text("request"),
    _int("status"),
    _text("headers"),
    _text("body"),
    _int("at"),
    sa.Index("ix_idempotency_at", "at"),
)

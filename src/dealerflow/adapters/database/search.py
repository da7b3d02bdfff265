"""What a search for orders compares: how ids end, and folded texts, kept beside the originals and found by how they begin."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa

from dealerflow.adapters.database.tables import orders
from dealerflow.domain.ids import SHORT_DIGITS, end_of_id
from dealerflow.domain.orders import Customer

LAST_CODE_POINT = "\U0010ffff"
# As in its index: a database uses the index of an expression only where the query says the same.
_short_number: sa.ColumnElement[str] = sa.literal_column(
    f"substr(orders.id, length(orders.id) - {SHORT_DIGITS - 1})", sa.Text
)


def folded(text: str) -> str:
    """Without case, accents and doubled spaces: "  Ángela  GARCÍA" is "angela garcia"."""
    if text.isascii():
        return " ".join(text.lower().split())
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(character for character in apart if not unicodedata.combining(character))
    return " ".join(bare.split())


def search_keys(customer: Customer) -> dict[str, str | None]:
    """The key columns of a customer's row."""
    words = folded(customer.name).split(" ")
    return {
        "email_key": folded(customer.email),
        "name_key": " ".join(words),
        "surname_key": " ".join(words[1:]) or None,
        "last_name_key": words[-1] if len(words) > 2 else None,
    }


def begins_with(column: sa.ColumnElement[str], beginning: str) -> sa.ColumnElement[bool]:
    """A range, which every index can find; LIKE depends on the database's language."""
    return sa.and_(column >= beginning, column < beginning + LAST_CODE_POINT)


def is_called(text: str) -> sa.ColumnElement[bool]:
    """The orders that are called so: by the id, or by the short number that pages and letters show."""
    whole = orders.c.id == text.strip().lower()
    end = end_of_id(text)
    return whole if end is None else sa.or_(whole, _short_number == end)

"""What a search for customers compares: folded texts, kept beside the originals and found by how they begin."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa

from dealerflow.domain.orders import Customer

LAST_CODE_POINT = "\U0010ffff"


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

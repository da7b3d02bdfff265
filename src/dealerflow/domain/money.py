"""Money: whole minor units of one currency. Never a float."""

from __future__ import annotations

import msgspec

# Currencies whose minor unit is not a hundredth (ISO 4217).
MINOR_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "TND": 3}


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in minor units (cents) of `currency` (ISO 4217, upper case)."""

    amount: int
    currency: str

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(f"cannot mix {self.currency} and {other.currency}")


def minor_digits(currency: str) -> int:
    """How many decimals the currency's minor unit has (2 for most)."""
    return MINOR_DIGITS.get(currency, 2)


def shown(amount: int, currency: str) -> str:
    """A plain text form for messages to people, e.g. "32 500.00 EUR". Pages and letters use the reader's own format."""
    digits = minor_digits(currency)
    major, minor = divmod(abs(amount), 10**digits)
    text = f"{major:,}".replace(",", " ") + (f".{minor:0{digits}d}" if digits else "")
    return f"{'-' if amount < 0 else ''}{text} {currency}"

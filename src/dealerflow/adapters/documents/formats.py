"""How amounts, rates, dates and countries read in the reader's language (Unicode CLDR, by way of Babel)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, format_percent, get_currency_symbol

from dealerflow.domain.money import Money, minor_digits

FALLBACK_LANGUAGE = "en"
_DATES = {"en": Locale("en", "GB")}  # as most of the world and our pages write them: day before month


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """The locale for "es" or "es-MX"; English where the language is not known."""
    try:
        return Locale.parse(language, sep="-" if "-" in language else "_")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(FALLBACK_LANGUAGE)


def money_text(money: Money, language: str) -> str:
    """E.g. "1.234,56 €" for 123456 EUR in Spanish: always with the currency's own number of decimals."""
    digits = minor_digits(money.currency)
    locale = locale_of(language)
    pattern = locale.currency_formats["standard"].pattern.replace("0.00", f"0.{'0' * digits}".rstrip("."))
    if get_currency_symbol(money.currency, locale)[-1:].isalpha():
        pattern = pattern.replace(
            "¤#", "¤\N{NO-BREAK SPACE}#"
        )  # CLDR's currency spacing, which Babel leaves out
    value = Decimal(money.amount).scaleb(-digits)
    return format_currency(value, money.currency, format=pattern, locale=locale, currency_digits=False)


def rate_text(basis_points: int, language: str) -> str:
    """E.g. "7.25%" for 725 in English."""
    locale = locale_of(language)
    pattern = locale.percent_formats[None].pattern.replace("0", "0.##", 1)
    return format_percent(Decimal(basis_points) / 10_000, format=pattern, locale=locale)


def date_text(at: int, timezone: str, language: str) -> str:
    """E.g. "31 January 2026": the day on which `at` (ms since epoch) falls in `timezone` (IANA name)."""
    day = moment(at, timezone).date()
    return format_date(day, format="long", locale=_DATES.get(language) or locale_of(language))


def moment(at: int, timezone: str) -> datetime:
    """`at` (ms since epoch) as a time in `timezone`. Raises ZoneInfoNotFoundError for an unknown zone."""
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(ZoneInfo(timezone))


def country_text(code: str, language: str) -> str:
    """E.g. "Alemania" for "DE" in Spanish; what is no ISO 3166 code stays as it is."""
    return str(locale_of(language).territories.get(code.upper(), code))

"""How amounts and times read in the reader's language (Unicode CLDR, by way of Babel)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from markupsafe import Markup

from dealerflow.domain.languages import FALLBACK, LANGUAGES
from dealerflow.domain.money import Money, minor_digits

# English as most of the world writes it: day before month, 24 hours.
_LOCALES = {"en": "en_GB"}


class Formats:
    """Writes values for one reader. `zone` is the IANA name of the time zone in which times are shown."""

    def __init__(self, language: str, zone: str = "UTC") -> None:
        self.language = language
        self.zone = zone
        self._locale = locale_of(language)
        self._zone = ZoneInfo(zone)

    def money(self, money: Money) -> str:
        """E.g. "€31,900.00". Whole amounts too have their decimals, so that columns stand under each other."""
        value = Decimal(money.amount).scaleb(-minor_digits(money.currency))
        return format_currency(value, money.currency, locale=self._locale)

    def number(self, number: float) -> str:
        """With the language's separators."""
        return format_decimal(number, locale=self._locale)

    def time(self, at: str | int) -> Markup:
        """A moment (RFC 3339, or ms since epoch) as a `<time>` element: "31 Jan 2026, 14:05".

        Universal time says so ("14:05 UTC"): it is shown to who has no time zone here, and is the time of no place.
        """
        moment = self._moment(at)
        shown = format_datetime(moment, "d MMM y, HH:mm", locale=self._locale)
        if self.zone == "UTC":
            shown += " UTC"
        return self._element(moment, shown)

    def day(self, at: str | int) -> Markup:
        """The day of a moment as a `<time>` element: "31 Jan 2026"."""
        moment = self._moment(at)
        return self._element(moment, format_date(moment, "d MMM y", locale=self._locale))

    def _moment(self, at: str | int) -> datetime:
        moment = datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) else datetime.fromisoformat(at)
        return moment.astimezone(self._zone)

    def _element(self, moment: datetime, shown: str) -> Markup:
        zone = moment.tzname() or self.zone
        return Markup('<time datetime="{}" title="{} {}">{}</time>').format(
            moment.isoformat(timespec="seconds"),
            format_datetime(moment, "full", locale=self._locale),
            zone,
            shown,
        )


@lru_cache(maxsize=8)
def locale_of(language: str) -> Locale:
    """The locale in which that language's numbers and days are written."""
    known = language if language in LANGUAGES else FALLBACK
    return Locale.parse(_LOCALES.get(known, known))

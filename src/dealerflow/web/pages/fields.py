"""What was typed into a form, and what is wrong with it, so that a page can show both side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from dealerflow.domain.errors import Fault, Malformed
from dealerflow.domain.form_faults import control_characters
from dealerflow.domain.money import Money

MAX_FIELDS = 300
MAX_FORM_BYTES = 64 * 1024
MOST_DIGITS = 18  # of an amount: what databases and JSON hold

Errors = dict[str, list[str]]


class Fields:
    """The fields of a form, as they were sent. A field that was not sent is empty."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def text(self, name: str) -> str:
        """One line or text, without the spaces around it; line ends as "\\n" (browsers send "\\r\\n")."""
        return self.raw(name).replace("\r\n", "\n").strip()

    def optional(self, name: str) -> str | None:
        """As `text`; None where nothing was typed."""
        return self.text(name) or None

    def raw(self, name: str) -> str:
        """Exactly what was sent, for passwords."""
        return self._values.get(name, [""])[0]

    def money(self, name: str) -> Money | None:
        """An amount that a page of ours put into a hidden field, "3190000 EUR"; None where it did not. Raises Malformed."""
        given = self.text(name)
        if not given:
            return None
        amount, _, currency = given.partition(" ")
        if not (amount.isascii() and amount.isdigit() and len(amount) <= MOST_DIGITS and currency):
            raise _unreadable()
        return Money(int(amount), currency)

    def has_signs(self, name: str) -> bool:
        """Whether a text holds what is no text: control characters other than line breaks and tabs."""
        return control_characters(self.text(name), multiline=True) is not None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field that may be sent several times, like checkboxes. None that we offer has control characters."""
        return tuple(value for value in self._values.get(name, ()) if value and not control_characters(value))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def names(self) -> frozenset[str]:
        """The fields that were sent."""
        return frozenset(self._values)


def fields_of(body: bytes) -> Fields:
    """The fields of a posted form (application/x-www-form-urlencoded). Raises Malformed."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:  # no UTF-8, or too many fields
        raise _unreadable() from None
    return Fields(pairs)


def _unreadable() -> Malformed:
    return Malformed("the form cannot be read")


def errors_by_field(faults: Iterable[Fault], fields: Mapping[str, str]) -> Errors:
    """Faults under the names of the form's fields; `fields` maps the start of a JSON pointer to a field's name.

    The longest start that fits counts. What fits none stands under "": the page shows it above the form.
    """
    found: Errors = {}
    for fault in faults:
        starts = [
            start for start in fields if fault.pointer == start or fault.pointer.startswith(f"{start}/")
        ]
        name = fields[max(starts, key=len)] if starts else ""
        found.setdefault(name, []).append(fault.detail)
    return found

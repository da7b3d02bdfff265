"""What was typed into a form, and what is wrong with it, so that a page can show both side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from dealerflow.domain.errors import Fault, Malformed
from dealerflow.domain.form_faults import control_characters

MAX_FIELDS = 300
MAX_FORM_BYTES = 64 * 1024

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

    def has_signs(self, name: str) -> bool:
        """Whether a text holds what is no text: control characters other than line breaks and tabs."""
        return control_characters(self.text(name), multiline=True) is not None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field that may be sent several times, like checkboxes."""
        return tuple(value for value in self._values.get(name, ()) if value)

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
        raise Malformed("the form cannot be read") from None
    return Fields(pairs)


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

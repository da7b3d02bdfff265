"""docs/reference/mail-templates.md, from the templates and the facts that they may use."""

from __future__ import annotations

from typing import get_args, get_type_hints

import msgspec

from dealerflow.adapters.documents.letters import TemplateLetters
from dealerflow.application.letters import LetterFacts
from dealerflow.domain.languages import LANGUAGES
from dealerflow.pipeline.definition import State
from dealerflow.pipeline.loader import standard
from dealerflow.pipeline.vocabulary import TEMPLATES
from scripts.reference.markdown import code, table
from scripts.reference.markdown import page as markdown_page

OUTSIDE_THE_PIPELINE = {
    "invoice": "customer: an invoice was issued",
    "credit_note": "customer: a credit note was issued",
    "delivery_note": "dealership: a load with its cars has left",
    "refund_requested": "dealership: a paid order ended without a car",
}
MEANINGS = {**TEMPLATES, "refund_requested": "a refund is asked for: how much, of which order"}

INTRODUCTION = f"""A letter is a subject, a plain text and the same words in HTML, in the reader's language
({code(LANGUAGES)}). The shipped ones are in
`src/dealerflow/adapters/documents/templates/<language>/<name>.j2` (Jinja 2). Put your own into the directory
that the setting `DEALERFLOW_TEMPLATES` names, in the same layout: one of the same name replaces the shipped
one in that language, others are added, and so are further languages."""

FORM = """## What a template looks like

```jinja
{% extends layout %}
{% block subject %}Your car is ready: {{ vin }}{% endblock %}
{% block body %}
{% call p() %}You can pick it up at {{ dealership_name }}.{% endcall %}
{{ table(rows("order_id", "model", "vin")) }}
{{ button(tracking_url, "Follow your order") }}
{% endblock %}
```

`p`, `table`, `rows`, `button`, `link` and `car_list` become text in one form and HTML in the other. `money`,
`date` and `short` are filters: `{{ order_id | short }}` is the number that pages show of an order and that their
search finds; `rows` writes it so too. A name that is not in the list below is an error, so that a slip of the pen is found
before it is sent. `<name>.txt.j2` or `<name>.html.j2` go before `<name>.j2`, where one form needs words of
its own."""

FACTS = """## What it may say

Everything but `order_id` and `language` may be missing; `rows` leaves out what is."""


def page() -> str:
    """The page."""
    names = sorted(TemplateLetters().templates())
    rows = ((f"`{name}`", MEANINGS[name], "; ".join(_sent(name))) for name in names)
    facts = table(("name", "type"), ((f"`{name}`", f"`{kind}`") for name, kind in _facts()))
    return markdown_page(
        "Letters", INTRODUCTION, table(("template", "says", "sent to, and when"), rows), FORM, FACTS, facts
    )


def _sent(name: str) -> list[str]:
    pipeline = standard()
    found = [text for state in pipeline.states.values() for text in _on_entry(state, name)]
    return found or [OUTSIDE_THE_PIPELINE[name]]


def _on_entry(state: State, name: str) -> list[str]:
    return [
        f"{'topic ' if action.kind == 'topic' else ''}{action.target}: on entering `{state.name}`"
        + (", the first time" if action.when == "first" else "")
        for action in state.actions
        if action.template == name
    ]


def _facts() -> list[tuple[str, str]]:
    hints = get_type_hints(LetterFacts)
    return [(field.name, _type(hints[field.name])) for field in msgspec.structs.fields(LetterFacts)]


def _type(hint: object) -> str:
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    for module in ("dealerflow.domain.money.", "dealerflow.domain.shipping."):
        text = text.replace(module, "")
    return text.replace(" | None", "")

"""What the core says in English, as the pages say it: in the reader's language, and to a person who sees a form.

The core speaks to scripts too, in whole sentences that do not change by themselves. Each sentence that a person can bring about
on a page stands here with what varies in it, beside the key of its text. What is not listed is shown as the core says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dealerflow.domain.errors import Fault
from dealerflow.web.pages.texts import Texts

_SENTENCES = {
    # application.guards
    "core.unpaid_production": r"payment is missing: (?P<amount>.+) is due before production",
    "core.unpaid_delivery": r"payment is missing: (?P<amount>.+) is due before delivery",
    "core.unpaid_handover": r"payment is missing: (?P<amount>.+) is due before handover",
    "core.has_a_car": r"a car exists for this order, it can no longer be cancelled",
    "core.no_line_builds": r"no assembly line builds the model .+",
    "core.line_builds_not": r"line (?P<line>.+) does not build the model .+; choose another line",
    "core.all_lines_full": r"every line that builds this model is full",
    "core.line_full": r"line (?P<line>.+) is full(: all of its \d+ places are taken)?; choose another.+",
    # pipeline.definition: the details of a decision
    "core.missing": r"is (missing|empty); it is required",
    "core.choose_some": r"is empty; name at least one",
    "core.too_long": r"is \d+ characters long; (?P<most>\d+) are allowed",
    "core.signs": r"holds control characters; only line breaks and tabs are allowed",
    "core.no_choice": r".+ is no valid choice; choose one of .+",
    # application.orders: putting an order in a state by hand
    "core.say_why": r"say why; it is kept in the order's history",
    "core.name_a_line": r"a car in this state holds a place on an assembly line; name one with --line .+",
    "core.on_its_way": r"“.+” was decided and is on its way; wait for it, or override it with --force",
    # application.accounts
    "core.other_password": r"is not the same password",
    "core.blank": r"must not be blank",
    "core.has_an_account": r"has an account already; an administrator can add a role to it",
    "core.own_account": r"nobody can close the own account; ask a colleague",
}
_PATTERNS = {key: re.compile(sentence, re.DOTALL) for key, sentence in _SENTENCES.items()}


def in_words(t: Texts, detail: str) -> str:
    """The sentence as the page says it."""
    for key, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(detail):
            return t(key, **found.groupdict())
    return detail


def faults_in_words(t: Texts, faults: Iterable[Fault]) -> list[Fault]:
    """The same faults, as the page says them."""
    return [Fault(fault.pointer, in_words(t, fault.detail)) for fault in faults]

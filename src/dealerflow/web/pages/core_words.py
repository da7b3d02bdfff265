"""What the core says in English, as the pages say it: in the reader's language, and to a person who sees a form.

The core speaks to scripts too, in whole sentences that do not change by themselves. Each sentence that a person can bring about
on a page stands here with what varies in it, beside the key of its text; a test finds those that are forgotten. What is not
listed (of a guard of one's own) is shown as the core says it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from dealerflow.domain.errors import Conflict, Fault
from dealerflow.domain.ids import short_number
from dealerflow.web.pages.texts import Texts

_ROLES = r"(?P<roles>[\w, -]+)"

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
    # pipeline.definition: a decision and its details
    "core.no_state": r"there is no state .+; choose one of .+",
    "core.no_outcome": r".+ is no outcome of .+; .+",
    "core.no_detail": r"is no detail of .+; .+|must be (an object with the details .+|a text.*|a list of codes)",
    "core.missing": r"is (missing|empty); it is required",
    "core.choose_some": r"is empty; name at least one",
    "core.too_many": r"has \d+ entries; (?P<most>\d+) are allowed",
    "core.too_long": r"is \d+ characters long; (?P<most>\d+) are allowed",
    "core.signs": r"holds control characters; only line breaks and tabs are allowed"
    r"|must not hold the control character .+|must be one line, without line breaks and tabs",
    "core.no_choice": r".+ is no valid choice; choose one of .+",
    "core.twice": r"is there twice; name each once|.+ is given twice; give it once|.+ is named twice",
    # application.orders: deciding, and putting an order in a state by hand
    "core.decided_already": r"“.+” was decided already; load the order again to see where it stands",
    "core.moved_on": r"the order has moved on; load the order again to see where it stands"
    r"|this step is over, the order is now in “.+”; load it again and decide for its present step"
    r"|the order moved at the same time; it is tried again",
    "core.by_departure": r"“.+” is decided by the departure of a load; put the order on a load and let it depart",
    "core.decided_by_nobody": r"in “.+” this is decided by: nobody",
    "core.decided_by": rf"in “.+” this is decided by: {_ROLES}",
    "core.say_why": r"say why; it is kept in the order's history",
    "core.name_a_line": r"a car in this state holds a place on an assembly line; name one with --line .+",
    "core.on_its_way": r"“.+” was decided and is on its way; wait for it, or override it with --force",
    "core.vin_in_use": r"the VIN (?P<vin>.+) is in use; a VIN is given to one car for ever",
    # application.payments, application.refunds
    "core.who_pays": r"a payment is made by the customer or the dealership",
    "core.what_is_due": r"what is due next is (?P<amount>.+) \(before .+\); pay that, or leave amount out",
    "core.not_payable": r"nothing can be paid while the order is in “.+”",
    "core.being_paid": r"a payment of this order is being processed; wait for its result",
    "core.all_paid": r"nothing is due: the order is paid",
    "core.who_refunds": r"a refund is recorded by the dealership or an administrator",
    "core.no_refund": r"no refund is asked for: payment .+ is “.+”|payment .+ changed at the same time",
    # application.shipping
    "core.has_departed": r"load (?P<load>\S+) has departed",
    "core.load_empty": r"load (?P<load>\S+) is empty; put cars on it first",
    "core.no_order": r"there is no order (?P<order>.+)",
    "core.on_a_load": r"it is on load (?P<load>\S+)",
    "core.waits_not": r"it is in “.+”, (only cars in .+ wait for a load|where no load departs)",
    "core.decided": r"“.+” was decided for it already",
    # application.access, application.accounts, application.tracking, web.auth
    "core.open_to": rf"(this is open to|webhooks are managed by): {_ROLES}",
    "core.too_often": r"that was tried too often; try again in (?P<seconds>\d+) seconds",
    "core.other_password": r"is not the same password",
    "core.password": r"must have (?P<least>\d+) to (?P<most>\d+) characters",
    "core.blank": r"must not be blank",
    "core.email": r"must be an e-mail address, like .+"
    r"|is too long for an e-mail address: .+|must not hold spaces, quotes, brackets, .+|must end in a domain, like .+",
    "core.phone": r"must be a phone number of .+ digits, like .+",
    "core.has_an_account": r"has an account already; an administrator can add a role to it",
    "core.own_account": r"nobody can close the own account; ask a colleague",
    "core.roles_elsewhere": r"this account has roles elsewhere too: only an administrator can open or close it",
    "core.who_manages": r"only an administrator of the dealership looks after its accounts",
    "core.who_links": r"a new link is made by the dealership or an administrator",
    "core.cross_site": r"this cannot be asked for from another site's page",
    # application.webhooks
    "core.web_address": r"must be an address like https://\S+, without a user, password or fragment",
    "core.own_dealership": r"must be a dealership of yours: .+|there is no dealership .+",
    "core.many_webhooks": r"there are (?P<most>\d+) webhooks already; remove one first",
    "core.has_ended": r"the subscription has ended",
    "core.being_sent": r"it is on its way already",
    # domain.intake: orders. The order page lets nobody choose these, but the catalogue may have changed.
    "core.sells_not": r".+ (takes no orders at present; choose another|does not sell .+; it sells: .+)",
    "core.not_like_this": r".+ has no (price in|option|trim|colour) .+|there is no model .+|.+ is only for trim .+"
    r"|.+ needs .+; add it, or leave .+ out|.+ cannot be had together; leave one of them out"
    r"|\".+\" is given twice; give each option once",
    # web.paging and the like: addresses that were changed by hand
    "core.address": r"cursor is not one that this list gave; start again without it"
    r"|\w+ must (be a whole number from .+ to .+|be one of: .+|have at most \d+ characters)",
    "core.form_changed": r"the form cannot be read|\S+ must be 1 to 255 plain letters, digits and signs",
    "core.too_large": r"(The request body is too large|An order has at most \d+ bytes)\.",
}
_PATTERNS = {key: re.compile(sentence, re.DOTALL) for key, sentence in _SENTENCES.items()}


def in_words(t: Texts, detail: str) -> str:
    """The sentence as the page says it."""
    for key, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(detail):
            return t(key, **{name: _fact(t, name, fact) for name, fact in found.groupdict().items()})
    return detail


def faults_in_words(t: Texts, faults: Iterable[Fault]) -> list[Fault]:
    """The same faults, as the page says them."""
    return [Fault(fault.pointer, in_words(t, fault.detail)) for fault in faults]


def refusal_in_words(t: Texts, refused: Conflict) -> tuple[str, ...]:
    """Why something was refused; where cars of a load are in the way, each of them with its reason."""
    blocked: Any = refused.facts.get("blocked")
    if not blocked:
        return (in_words(t, refused.detail),)
    return tuple(
        t("core.of_car", car=short_number(car["order"]), reason=in_words(t, car["reason"])) for car in blocked
    )


def _fact(t: Texts, name: str, fact: str) -> str:
    write = _WRITTEN.get(name)
    return write(t, fact) if write else fact


def _roles(t: Texts, names: str) -> str:
    return ", ".join(t.find(f"role.{name}") or name for name in names.split(", "))


def _short(_: Texts, id_: str) -> str:
    return short_number(id_)


_WRITTEN: dict[str, Callable[[Texts, str], str]] = {"roles": _roles, "load": _short, "order": _short}

"""Accounts, their memberships (a role in a scope), and who is calling."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Role = Literal[
    "dealer",
    "dealer_admin",
    "production_manager",
    "line_lead",
    "quality_lead",
    "delivery_lead",
    "head_of_operations",
    "operator",
    "admin",
]
ROLES: tuple[str, ...] = get_args(Role)

# What a role's scope names; the other roles hold everywhere.
SCOPE_OF: dict[str, str] = {
    "dealer": "dealership",
    "dealer_admin": "dealership",
    "line_lead": "line",
    "production_manager": "plant",
    "quality_lead": "plant",
    "delivery_lead": "plant",
    "head_of_operations": "plant",
}
DEALER_ROLES = frozenset({"dealer", "dealer_admin"})
FACTORY_ROLES = frozenset({"production_manager", "line_lead", "quality_lead", "delivery_lead"})
READS_EVERY_ORDER = FACTORY_ROLES | {"admin", "operator", "head_of_operations"}


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """`role` in `scope`: a dealership's, plant's or line's id; "" is everywhere."""

    role: str
    scope: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can log in. Raising `epoch` makes every token and session void."""

    id: str
    email: str
    name: str
    language: str = "en"
    active: bool = True
    epoch: int = 0
    memberships: tuple[Membership, ...] = ()

    def roles(self) -> frozenset[str]:
        """The roles that the account holds in any scope."""
        return frozenset(m.role for m in self.memberships)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: an account, the customer of one order (who holds its link `link_number`), or nobody (both None)."""

    account: Account | None = None
    customer_of: str | None = None
    link_number: int = 0

    @property
    def name(self) -> str:
        """How the caller is noted in the history: the account's id, "customer" or "anyone"."""
        if self.account is not None:
            return self.account.id
        return "customer" if self.customer_of else "anyone"

    def has(self, *roles: str) -> bool:
        """Whether the caller holds one of these roles, in any scope."""
        return self.account is not None and bool(self.account.roles() & set(roles))

    def scopes(self, role: str) -> frozenset[str]:
        """The scopes in which the caller holds the role ("" among them: everywhere)."""
        if self.account is None:
            return frozenset()
        return frozenset(m.scope for m in self.account.memberships if m.role == role)

    def holds(self, role: str, scope: str) -> bool:
        """Whether the caller holds the role in this scope."""
        return bool(self.scopes(role) & {scope, ""})

    @property
    def dealerships(self) -> frozenset[str]:
        """The dealerships whose orders are the caller's own."""
        return self.scopes("dealer") | self.scopes("dealer_admin")

    @property
    def sees_every_order(self) -> bool:
        """Factory staff, operators and administrators may read every order."""
        return self.has(*READS_EVERY_ORDER) or "" in self.dealerships

    def sees(self, order_id: str, dealership: str, link_number: int = 0) -> bool:
        """Whether the order exists for this caller; `link_number` is the order's link that counts."""
        if self.customer_of == order_id and self.link_number == link_number:
            return True
        return self.sees_every_order or dealership in self.dealerships

    def roles_for(
        self, order_id: str, dealership: str, line: str | None, plant: str | None
    ) -> frozenset[str]:
        """The roles that the caller holds towards this order. Before a line is chosen no plant's role is left out."""
        held = {"customer"} if self.customer_of == order_id else set()
        for membership in self.account.memberships if self.account else ():
            kind = SCOPE_OF.get(membership.role)
            target = {"dealership": dealership, "line": line, "plant": plant}.get(kind or "")
            if (
                membership.scope == ""
                or kind is None
                or membership.scope == target
                or (kind == "plant" and plant is None)
            ):
                held.add(membership.role)
        if "dealer_admin" in held:
            held.add("dealer")
        return frozenset(held)

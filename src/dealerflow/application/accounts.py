"""Accounts as people look after them themselves: one's own password, and the colleagues at one's own dealership.

Administrators manage accounts from files and on the command line (`reference_files.put_accounts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from dealerflow.application.reference_files import password_problem
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from dealerflow.domain.form_faults import control_characters
from dealerflow.domain.intake import email_problem
from dealerflow.domain.languages import Language
from dealerflow.domain.people import Account, Caller, Membership


class ColleagueForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account at a dealership. The password is told to its owner, who changes it."""

    email: str
    name: Annotated[str, Meta(max_length=200)]
    role: Literal["dealer", "dealer_admin"]
    language: Language
    password: str


def new_password_faults(password: str, again: str) -> list[Fault]:
    """What is wrong with a new password that was typed twice; pointers /password and /again."""
    faults = [Fault("/password", said)] if (said := password_problem(password)) else []
    if password != again:
        faults.append(Fault("/again", "is not the same password"))
    return faults


def change_password(work: UnitOfWork, account_id: str, password_hash: str) -> Account:
    """Give an account a new password; all its tokens and sessions are void from now on."""
    account = work.people.account(account_id, lock=True)
    if account is None:
        raise NotFound(f"there is no account {account_id}")
    changed = replace(account, epoch=account.epoch + 1)
    work.reference.put_account(changed, password_hash)
    return changed


def change_language(work: UnitOfWork, account_id: str, language: Language) -> None:
    """The language of an account's pages and mails."""
    account = work.people.account(account_id, lock=True)
    if account is None:
        raise NotFound(f"there is no account {account_id}")
    work.reference.put_account(replace(account, language=language), None)


# --- colleagues ---


def managed(caller: Caller) -> tuple[str, ...]:
    """The dealerships whose accounts the caller looks after."""
    return tuple(sorted(caller.scopes("dealer_admin") - {""}))


def colleagues(work: UnitOfWork, caller: Caller, dealership: str) -> list[Account]:
    """Everybody with a role at this dealership, also who can no longer log in, by e-mail address. Raises Forbidden."""
    _check_managed(caller, dealership)
    return sorted(work.people.accounts_in(dealership), key=lambda account: account.email)


def colleague_faults(work: UnitOfWork, form: ColleagueForm) -> Iterator[Fault]:
    """Everything that is wrong with a new account."""
    if not form.name.strip():
        yield Fault("/name", "must not be blank")
    elif said := control_characters(form.name):
        yield Fault("/name", said)
    if said := email_problem(form.email):
        yield Fault("/email", said)
    elif work.people.account_by_email(form.email):
        yield Fault("/email", "has an account already; an administrator can add a role to it")
    if said := password_problem(form.password):
        yield Fault("/password", said)


def add_colleague(
    work: UnitOfWork, caller: Caller, dealership: str, form: ColleagueForm, password_hash: str
) -> Account:
    """A new account at the caller's dealership. Raises Forbidden, Invalid."""
    _check_managed(caller, dealership)
    if faults := list(colleague_faults(work, form)):
        raise Invalid(faults)
    account = Account(
        id=work.ids.new("acc"),
        email=form.email.lower(),
        name=form.name.strip(),
        language=form.language,
        memberships=(Membership(role=form.role, scope=dealership),),
    )
    work.reference.put_account(account, password_hash)
    return account


def let_in(work: UnitOfWork, caller: Caller, account_id: str, *, active: bool) -> Account:
    """Open or close a colleague's account; closing it ends all sessions and tokens.

    Raises NotFound (nobody of the caller's dealerships), Forbidden (holds roles elsewhere too), Conflict (oneself).
    """
    account = work.people.account(account_id, lock=True)
    own = set(managed(caller))
    scopes = {member.scope for member in account.memberships} if account else set()
    if account is None or not scopes & own:
        raise NotFound(f"there is no account {account_id}")
    if not scopes <= own:
        raise Forbidden("this account has roles elsewhere too: only an administrator can open or close it")
    if caller.account is not None and caller.account.id == account.id:
        raise Conflict("nobody can close the own account; ask a colleague")
    changed = replace(account, active=active, epoch=account.epoch + (not active))
    work.reference.put_account(changed, None)
    return changed


def _check_managed(caller: Caller, dealership: str) -> None:
    if dealership not in managed(caller):
        raise Forbidden("only an administrator of the dealership looks after its accounts")

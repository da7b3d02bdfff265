"""One's own account, and the accounts of the dealerships that a person administers."""

from __future__ import annotations

import msgspec

from dealerflow.application.accounts import (
    ColleagueForm,
    add_colleague,
    change_language,
    change_password,
    colleague_faults,
    colleagues,
    let_in,
    managed,
    new_password_faults,
)
from dealerflow.domain.errors import Conflict, Fault, Forbidden, Invalid
from dealerflow.domain.languages import LANGUAGES
from dealerflow.domain.people import SCOPE_OF, Account
from dealerflow.web.api.sessions import session_cookie_for
from dealerflow.web.pages.core_words import faults_in_words
from dealerflow.web.pages.fields import Errors, Fields, errors_by_field
from dealerflow.web.pages.frame import LANGUAGE_COOKIE, HtmlResponse, Visit, get, post

COLLEAGUE_ROLES = ("dealer", "dealer_admin")
_PASSWORD_FIELDS = {"/current": "current", "/password": "password", "/again": "again"}
_COLLEAGUE_FIELDS = {name: name[1:] for name in ("/email", "/name", "/role", "/language", "/password")}


class RoleView(msgspec.Struct, frozen=True, kw_only=True):
    """A role in words, and where it holds; "" everywhere."""

    role: str
    scope: str


class Colleague(msgspec.Struct, frozen=True, kw_only=True):
    """An account at a dealership. `can_change`: it may be opened or closed by this person."""

    account: Account
    roles: tuple[str, ...]
    can_change: bool


class DealershipPeople(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody at one dealership."""

    id: str
    name: str
    people: tuple[Colleague, ...]


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """The account, its roles, and the dealerships that it administers. `form` says which form has errors."""

    account: Account
    roles: tuple[RoleView, ...]
    languages: tuple[tuple[str, str], ...]
    dealerships: tuple[DealershipPeople, ...]
    manages_webhooks: bool
    form: str
    errors: Errors
    fields: Fields


@get("/account")
def account(visit: Visit) -> HtmlResponse:
    """The page."""
    visit.require()
    return _show(visit)


@post("/account/password")
def new_password(visit: Visit) -> HtmlResponse:
    """Change the own password; every other session and token of the account ends."""
    own, fields, access = visit.require(), visit.fields, visit.system.access
    faults = new_password_faults(fields.raw("password"), fields.raw("again"))
    address = visit.request.client.host if visit.request.client else ""
    if not access.confirm(own, fields.raw("current"), address):
        faults.append(Fault("/current", visit.texts("account.wrong_password")))
    if faults:
        return _show(visit, form="password", faults=Invalid(faults))
    hashed = access.hash(fields.raw("password"))
    with visit.system.database.begin() as work:
        change_password(work, own.id, hashed)
    login = access.login(own.email, fields.raw("password"), address)
    visit.add_cookie(session_cookie_for(visit.system, login))
    return visit.go("/account", say="password_changed")


@post("/account/language")
def new_language(visit: Visit) -> HtmlResponse:
    """The language of pages and mails."""
    own, language = visit.require(), visit.fields.text("language")
    if language not in LANGUAGES:
        return _show(
            visit, form="language", faults=Invalid([Fault("/language", visit.texts("account.no_language"))])
        )
    with visit.system.database.begin() as work:
        change_language(work, own.id, language)
    visit.set_cookie(LANGUAGE_COOKIE, "", max_age=0)
    return visit.go("/account", say="language_changed")


@post("/account/colleagues")
def new_colleague(visit: Visit) -> HtmlResponse:
    """A new account at an own dealership."""
    visit.require("dealer_admin")
    dealership = visit.fields.text("dealership")
    if dealership not in managed(visit.caller()):
        raise Forbidden("only an administrator of the dealership looks after its accounts")
    try:
        form = _colleague(visit)
        with visit.system.database.read() as work:
            if faults := list(colleague_faults(work, form)):
                raise Invalid(faults)
        hashed = visit.system.access.hash(form.password)
        with visit.system.database.begin() as work:
            added = add_colleague(work, visit.caller(), dealership, form, hashed)
    except Invalid as error:
        return _show(visit, form=f"colleague-{dealership}", faults=error)
    return visit.go("/account", say="colleague_added", name=added.name)


@post("/account/colleagues/{account_id:str}/close")
def close(visit: Visit, account_id: str) -> HtmlResponse:
    """The colleague can no longer log in."""
    return _let_in(visit, account_id, active=False)


@post("/account/colleagues/{account_id:str}/open")
def open_again(visit: Visit, account_id: str) -> HtmlResponse:
    """The colleague can log in again."""
    return _let_in(visit, account_id, active=True)


def _let_in(visit: Visit, account_id: str, *, active: bool) -> HtmlResponse:
    visit.require("dealer_admin")
    try:
        with visit.system.database.begin() as work:
            changed = let_in(work, visit.caller(), account_id, active=active)
    except Conflict as error:
        return _show(visit, form="colleagues", faults=Invalid([Fault("", error.detail)]), status=409)
    return visit.go("/account", say="colleague_opened" if active else "colleague_closed", name=changed.name)


def _colleague(visit: Visit) -> ColleagueForm:
    fields = visit.fields
    typed = {name: fields.text(name) for name in ("email", "name", "role", "language")}
    try:
        return msgspec.convert({**typed, "password": fields.raw("password")}, ColleagueForm)
    except msgspec.ValidationError:  # a choice that the page does not offer, or a name beyond all measure
        raise Invalid([Fault("", visit.texts("form.wrong"))]) from None


def _show(
    visit: Visit, *, form: str = "", faults: Invalid | None = None, status: int | None = None
) -> HtmlResponse:
    own = visit.require()
    fields = _PASSWORD_FIELDS if form == "password" else _COLLEAGUE_FIELDS
    view = AccountView(
        account=own,
        roles=tuple(_roles(visit, own)),
        languages=tuple((code, visit.texts(f"language.{code}")) for code in LANGUAGES),
        dealerships=tuple(_people(visit, own)),
        manages_webhooks=visit.caller().has("operator", "admin", "dealer_admin"),
        form=form,
        errors=errors_by_field(faults_in_words(visit.texts, faults.faults), fields) if faults else {},
        fields=visit.fields,
    )
    return visit.show("account.html", view, status=status or (422 if faults else 200))


def _roles(visit: Visit, own: Account) -> list[RoleView]:
    with visit.system.database.read() as work:
        names = {line.id: line.name for line in work.factory.lines()}
        for member in own.memberships:
            if SCOPE_OF.get(member.role) == "dealership" and member.scope:
                names[member.scope] = work.people.dealership(member.scope).name
    return [
        RoleView(role=visit.texts(f"role.{member.role}"), scope=names.get(member.scope, member.scope))
        for member in own.memberships
    ]


def _people(visit: Visit, own: Account) -> list[DealershipPeople]:
    caller, t = visit.caller(), visit.texts
    scopes = set(managed(caller))
    found = []
    with visit.system.database.read() as work:
        for dealership in sorted(scopes):
            people = tuple(
                Colleague(
                    account=one,
                    roles=tuple(
                        t(f"role.{member.role}") for member in one.memberships if member.scope == dealership
                    ),
                    can_change=one.id != own.id and {member.scope for member in one.memberships} <= scopes,
                )
                for one in colleagues(work, caller, dealership)
            )
            found.append(
                DealershipPeople(id=dealership, name=work.people.dealership(dealership).name, people=people)
            )
    return found


ROUTES = (account, new_password, new_language, new_colleague, close, open_again)

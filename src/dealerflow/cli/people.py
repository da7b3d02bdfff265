"""`token` and `accounts`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Csv, Data, File, Json, content_of, opened

if TYPE_CHECKING:
    from dealerflow.application.work import UnitOfWork
    from dealerflow.domain.people import Account

accounts = typer.Typer(help="People who may log in, and their roles.", no_args_is_help=False)

Who = Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account's id or e-mail address.")]


def token(account: Who, data: Data = DEFAULT_DATA) -> None:
    """Print a bearer token for an account, and nothing else."""
    from dealerflow.application.access import issue_token

    with opened(data) as system, system.database.read() as work:
        found = _account(work, account)
        if not found.active:
            raise WrongUsage(f"the account {found.email} is closed")
        print(issue_token(found, system.secret))


@accounts.callback(invoke_without_command=True)
def _default(
    ctx: typer.Context, as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA
) -> None:
    if ctx.invoked_subcommand is None:
        list_accounts(as_json=as_json, as_csv=as_csv, data=data)


@accounts.command("list")
def list_accounts(as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA) -> None:
    """Show all accounts."""
    from dealerflow.cli.output import show

    with opened(data) as system, system.database.read() as work:
        rows = [_row(account) for account in work.reference.accounts()]
    show(("id", "email", "name", "memberships", "language", "active"), rows, as_json=as_json, as_csv=as_csv)


@accounts.command("add")
def add(
    email: Annotated[str, typer.Argument(help="The e-mail address to log in with.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    roles: Annotated[
        list[str],
        typer.Option(
            "--role", metavar="ROLE[:SCOPE]", help="A role, e.g. dealer:northside; may be given again."
        ),
    ],
    language: Annotated[str, typer.Option(help="en or es.")] = "en",
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Nobody can log in until a password is set.")
    ] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Add an account, or change the one with this address. The password is asked for, or read from standard
    input.
    """
    from dealerflow.application.import_files import Rows, pairs
    from dealerflow.application.reference_files import put_accounts

    with opened(data, new=True) as system:
        value: dict[str, Any] = {"email": email, "name": name, "language": language}
        value["memberships"] = pairs("role", "scope")(" ".join(roles))
        if not no_password:
            value["password"] = _asked_password()
        with system.database.begin() as work:
            put_accounts(work, Rows(values=[value]), system.hasher.hash)


@accounts.command("import")
def import_accounts(file: File, data: Data = DEFAULT_DATA) -> None:
    """Add or change the accounts of a file: email, name, memberships (`role:scope …`), language, active,
    password.
    """
    from dealerflow.application.import_files import read_rows
    from dealerflow.application.reference_files import ACCOUNT_COLUMNS, put_accounts

    rows = read_rows(content_of(file), file.name, ACCOUNT_COLUMNS)
    with opened(data, new=True) as system, system.database.begin() as work:
        count = put_accounts(work, rows, system.hasher.hash)
    print(f"{count} accounts")


@accounts.command("password")
def password(account: Who, data: Data = DEFAULT_DATA) -> None:
    """Set a new password, asked for or read from standard input. Every token and session of the account is
    void then.
    """
    from dealerflow.application.accounts import change_password
    from dealerflow.application.reference_files import password_problem

    with opened(data) as system:
        entered = _asked_password()
        if problem := password_problem(entered):
            raise WrongUsage(f"the password {problem}")
        hashed = system.hasher.hash(entered)
        with system.database.begin() as work:
            change_password(work, _account(work, account).id, hashed)


@accounts.command("disable")
def disable(account: Who, data: Data = DEFAULT_DATA) -> None:
    """Close an account: it cannot log in, and its tokens and sessions are void."""
    _set_active(account, data, active=False)


@accounts.command("enable")
def enable(account: Who, data: Data = DEFAULT_DATA) -> None:
    """Open an account that was closed."""
    _set_active(account, data, active=True)


def _set_active(who: str, data: Any, *, active: bool) -> None:
    from msgspec.structs import replace

    with opened(data) as system, system.database.begin() as work:
        account = _account(work, who)
        account = work.people.account(account.id, lock=True) or account
        work.reference.put_account(replace(account, active=active, epoch=account.epoch + (not active)), None)


def _account(work: UnitOfWork, who: str) -> Account:
    known = work.reference.accounts()
    for account in known:
        if who in (account.id, account.email) or who.lower() == account.email:
            return account
    from difflib import get_close_matches

    from dealerflow.domain.errors import NotFound

    near = get_close_matches(who.lower(), [account.email for account in known], 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise NotFound(f"there is no account {who}{hint}")


def _asked_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _row(account: Account) -> dict[str, Any]:
    held = [f"{member.role}:{member.scope}".rstrip(":") for member in account.memberships]
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "memberships": held,
        "language": account.language,
        "active": account.active,
    }

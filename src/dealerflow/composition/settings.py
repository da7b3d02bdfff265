"""The settings of an installation: `DEALERFLOW_…` in the environment over `dealerflow.toml` in the data
directory over defaults.

The reference (docs/reference/settings.md) is made from this file; a test compares the two.
"""

from __future__ import annotations

import difflib
import os
import secrets
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from msgspec.structs import FieldInfo, fields, replace

from dealerflow.composition.address import last_address, own_address
from dealerflow.domain.errors import DealerflowError

FILE = "dealerflow.toml"
SECRET_FILE = "secret.key"  # noqa: S105 - the file's name, not the secret
PREFIX = "DEALERFLOW_"
NOT_SETTINGS = ("DATA", "DEBUG")  # read by the command line itself
LEAST_SECRET = 32  # characters; 256 bits in the file that is made

LogLevel = Literal["debug", "info", "warning", "error"]


class WrongSetting(DealerflowError):
    """A setting cannot be used as it stands."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked. `data` comes from the command line; the rest has its description beside it."""

    data: Path
    database_url: Annotated[
        str,
        Meta(
            description="The main database: `postgresql://user:password@host/name`, or `sqlite:///path`. "
            "By default `dealerflow.db` in the data directory."
        ),
    ] = ""
    smtp_url: Annotated[
        str,
        Meta(
            description="The mail server: `smtp://user:password@host:port`, `smtps://…` or "
            "`smtp+starttls://…`. By default mail is put into the Maildir `mail` in the data directory."
        ),
    ] = ""
    mail_from: Annotated[
        str, Meta(description="The sender of every mail, `Name <address>` or a bare address.")
    ] = "Dealerflow <noreply@dealerflow.example>"
    public_url: Annotated[
        str,
        Meta(
            description="The address under which people reach the pages; the links in mails are made "
            "from it. By default the address that `serve` listens on, or listened on last."
        ),
    ] = ""
    secret_key: Annotated[
        str,
        Meta(
            description="Signs tokens and links, at least 32 characters. By default a random one that is "
            "made once and kept in `secret.key` in the data directory."
        ),
    ] = ""
    log_level: Annotated[
        LogLevel, Meta(description="The least that is logged: `debug`, `info`, `warning` or `error`.")
    ] = "info"
    otlp_endpoint: Annotated[
        str,
        Meta(
            description="Where traces are sent, by OTLP over HTTP: the collector's address without `/v1/traces`, like "
            "`http://127.0.0.1:4318`. By default nothing is traced. On AWS, X-Ray traces instead."
        ),
    ] = ""
    host: Annotated[str, Meta(description="The address that `serve` listens on.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="The port that `serve` listens on; 0 takes a free one.")
    ] = 8000
    pipeline: Annotated[
        str,
        Meta(
            description="The pipeline file that new orders follow, seen from the data directory. "
            "By default the standard pipeline that comes with the program."
        ),
    ] = ""
    topics: Annotated[
        str,
        Meta(description="Names of topics of your own that the pipeline file may use, separated by commas."),
    ] = ""
    templates: Annotated[
        str,
        Meta(
            description="A directory of letter templates of your own, seen from the data directory. "
            "They come before those of the program."
        ),
    ] = ""
    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="How many worker processes `serve` starts. More than 1 is of use with PostgreSQL.",
        ),
    ] = 1
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Addresses of the reverse proxies, separated by commas, whose `X-Forwarded-For` is "
            "believed. By default nobody's."
        ),
    ] = ""
    webhooks_to_private_addresses: Annotated[
        bool,
        Meta(
            description="Whether webhooks of dealerships may be posted to addresses that are not public. "
            "Those of the factory, which only operators and administrators can set up, always may; "
            "in a demo all may, unless the environment says false."
        ),
    ] = False
    stack: Annotated[
        str,
        Meta(
            description="On AWS: the name of the CloudFormation stack. Everything there is named after it. Set for the "
            "command line, it steers that installation instead of one on this machine."
        ),
    ] = ""
    account: Annotated[str, Meta(description="On AWS: the number of the account.")] = ""
    database_host: Annotated[
        str,
        Meta(
            description="On AWS, instead of the main database's URL: its host. User and password come from "
            "the secret `<stack>/database`."
        ),
    ] = ""
    database_name: Annotated[str, Meta(description="On AWS, with the host: the database's name.")] = (
        "dealerflow"
    )
    own_queues: Annotated[
        str,
        Meta(
            description="On AWS: queues of your own that the pipeline file names, `name=URL` separated by commas. What is "
            "sent to them is yours to work."
        ),
    ] = ""
    event_sources: Annotated[
        str,
        Meta(
            description="On AWS: `queue=id` separated by commas, the event source mappings that are switched off while a "
            "queue is paused. The template gives them to the function that needs them; a person's rights suffice to "
            "look them up."
        ),
    ] = ""


def settings_of(data: Path, environment: Mapping[str, str], **given: object) -> Settings:
    """The settings for this data directory. `given` are those from the command line (None: not given); they
    come first.

    Raises WrongSetting, which names every setting that is wrong, where it stands and what to do.
    """
    data = data.absolute()
    wrong: list[str] = []
    values: dict[str, Any] = {}
    found = _found(data, environment, wrong)
    for field in fields(Settings)[1:]:
        _take(field, found, values, wrong)
    values.update({name: value for name, value in given.items() if value is not None})
    if wrong:
        raise WrongSetting("\n".join(wrong))
    return _completed(Settings(data=data, **values))


def _found(data: Path, environment: Mapping[str, str], wrong: list[str]) -> dict[str, tuple[str, Any]]:
    """Setting → (where it stands, its value), of those that somebody set."""
    names = [field.name for field in fields(Settings)[1:]]
    found = {name: (f"{name} in {FILE}", value) for name, value in _file(data / FILE, wrong).items()}
    wrong += [
        f"{FILE}: there is no setting {name!r}{_near(name, names)}" for name in found if name not in names
    ]
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or name.upper() in NOT_SETTINGS or not value.strip():
            continue
        if name in names:
            found[name] = (variable, value.strip())
        elif hint := _near(name, names, PREFIX):  # an orchestrator, say, may name variables likewise
            wrong.append(f"{variable} is no setting{hint}")
    return found


def _file(path: Path, wrong: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        wrong.append(f"{path} cannot be read: {error}")
        return {}


def _near(name: str, names: list[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, names, 1, cutoff=0.75)
    shown = (prefix + near[0]).upper() if near and prefix else near[0] if near else ""
    return f"; did you mean {shown}?" if near else ""


def _take(
    field: FieldInfo, found: Mapping[str, tuple[str, Any]], values: dict[str, Any], wrong: list[str]
) -> None:
    if field.name not in found:
        return
    where, raw = found[field.name]
    try:
        value = msgspec.convert(raw, field.type, strict=False)
    except msgspec.ValidationError:
        wrong.append(f"{where}: must be {_expected(field.type)}")
        return
    if problem := _CHECKS.get(field.name, _no_problem)(value):
        wrong.append(f"{where}: {problem}")
    values[field.name] = value


def _expected(field_type: Any) -> str:
    shape = msgspec.inspect.type_info(field_type)
    shape = shape.type if isinstance(shape, msgspec.inspect.Metadata) else shape
    if isinstance(shape, msgspec.inspect.LiteralType):
        return f"one of {', '.join(map(str, shape.values))}"
    if isinstance(shape, msgspec.inspect.IntType):
        return f"a whole number from {shape.ge} to {shape.le}"
    return "true or false" if isinstance(shape, msgspec.inspect.BoolType) else "a text"


def _no_problem(_value: str) -> str | None:
    return None


def _database_problem(url: str) -> str | None:
    if url.startswith(("postgresql://", "postgresql+psycopg://", "postgres://", "sqlite:///")):
        return None
    return "must begin with postgresql:// or sqlite:///, like postgresql://user:password@host/name"


def _smtp_problem(url: str) -> str | None:
    if url.startswith(("smtp://", "smtps://", "smtp+starttls://")) and urlsplit(url).hostname:
        return None
    return (
        "must be like smtp://host:port, smtps://user:password@host or smtp+starttls://user:password@host:587"
    )


def _public_url_problem(url: str) -> str | None:
    parts = urlsplit(url)
    plain = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    return None if plain else "must be the pages' address, like https://cars.example.com"


def _otlp_problem(url: str) -> str | None:
    parts = urlsplit(url)
    plain = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    return None if plain else "must be the collector's address, like http://127.0.0.1:4318"


def _secret_problem(secret: str) -> str | None:
    return f"must have at least {LEAST_SECRET} characters" if len(secret) < LEAST_SECRET else None


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "database_url": _database_problem,
    "smtp_url": _smtp_problem,
    "public_url": _public_url_problem,
    "otlp_endpoint": _otlp_problem,
    "secret_key": _secret_problem,
}


def _completed(settings: Settings) -> Settings:
    """With the defaults that depend on other settings."""
    url = settings.database_url or f"sqlite:///{settings.data / 'dealerflow.db'}"
    for short in ("postgres://", "postgresql://"):
        url = f"postgresql+psycopg://{url.removeprefix(short)}" if url.startswith(short) else url
    public_url = (
        settings.public_url or last_address(settings.data) or own_address(settings.host, settings.port)
    )
    return replace(settings, database_url=url, public_url=public_url.rstrip("/"))


def secret_of(settings: Settings) -> str:
    """The signing secret: the setting, or else the one in the data directory, which is made at the first
    call.

    Processes that call at the same time get the same one. Raises WrongSetting if the file cannot be read or
    made.
    """
    if settings.secret_key:
        return settings.secret_key
    path = settings.data / SECRET_FILE
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(f"the signing secret {path} cannot be read or made: {error}") from error
    if len(secret) < LEAST_SECRET:
        raise WrongSetting(
            f"{path} does not hold a signing secret; restore it from a backup, or delete it: "
            "then every token and link is void"
        )
    return secret


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
    try:
        os.write(handle, secrets.token_hex(32).encode() + b"\n")
        os.fsync(handle)
        os.link(name, path)  # unlike a rename it never replaces a secret that another process has just made
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        Path(name).unlink()


def reference() -> str:
    """docs/reference/settings.md."""
    return "\n".join(_reference_lines())


def _reference_lines() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield (
        "Each setting can be given as an environment variable, or under its name in small letters in the "
        f"file `{FILE}` in the data directory. The environment comes first, then the file, then the default."
    )
    yield ""
    yield "| variable | in the file | default | what it is |"
    yield "|---|---|---|---|"
    for field in fields(Settings)[1:]:
        meta = msgspec.inspect.type_info(field.type)
        text = (getattr(meta, "extra_json_schema", None) or {}).get("description", "")
        plain = str(field.default).lower() if isinstance(field.default, bool) else field.default
        default = f"`{plain}`" if plain != "" else ""
        yield f"| `{PREFIX}{field.name.upper()}` | `{field.name}` | {default} | {text} |"
    yield ""
    yield "Two more are read by the command line alone: `DEALERFLOW_DATA`, the data directory (default `./data`),"
    yield "and `DEALERFLOW_DEBUG=1`, which shows tracebacks."
    yield ""

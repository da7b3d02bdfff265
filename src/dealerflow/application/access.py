"""Who is calling: accounts log in with a password (pages) or send a token (scripts).

A token is signed and needs no storage; a session is a random id of which only a hash is stored. Both are void once the account is
closed or its epoch was raised.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from dealerflow.application.ports import Clock
from dealerflow.application.signatures import holds, sign
from dealerflow.application.tries import Limit, Tries
from dealerflow.domain.errors import Forbidden, Unauthenticated
from dealerflow.domain.people import Account, Caller

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS
IDLE_MS = 12 * HOUR_MS  # a session that is not used for so long is over
LONGEST_MS = 7 * 24 * HOUR_MS  # and so is one of this age, used or not
RENEW_AFTER_MS = 10 * MINUTE_MS  # a use moves the end of a session, noted at most this often
FAILED_TRIES = 10  # of one account within TRIES_WITHIN_MS, then 429
FAILED_TRIES_OF_ADDRESS = 60
TRIES_WITHIN_MS = 5 * MINUTE_MS
LONGEST_PASSWORD = 256  # characters

_TOKEN = "token"  # noqa: S105 - what is signed, not a secret
_FORM = "form"
_TOKEN_START = "dft_"  # noqa: S105 - lets scanners find tokens that leaked


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An account and the hash of its password."""

    account: Account
    password_hash: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A login. `id` is a hash of what the browser holds; `epoch` the account's at login. Times in ms since epoch."""

    id: str
    account: str
    epoch: int
    created_at: int
    expires_at: int


class AccessStore(Protocol):
    """Where accounts and sessions are kept. Raises Outage when the database is away."""

    def account(self, account_id: str) -> Account | None:
        """The account, active or not."""

    def credentials(self, email: str) -> Credentials | None:
        """By e-mail address, whatever the case of its letters."""

    def open_session(self, session: Session) -> None: ...

    def session(self, session_id: str) -> tuple[Session, Account] | None:
        """The session, ended or not, and its account."""

    def prolong(self, session_id: str, expires_at: int) -> None:
        """A session that is gone stays so."""

    def end_session(self, session_id: str) -> None:
        """A session that is gone stays so."""

    def forget_sessions(self, ended_before: int) -> int:
        """Delete those that ended before this time; how many."""


class PasswordHasher(Protocol):
    """Slow on purpose. Few run at once; raises Unavailable when too many wait."""

    def hash(self, password: str) -> str: ...

    def verify(self, password_hash: str | None, password: str) -> bool:
        """None (there is no such account) is always False, after the same work."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh session: what the browser is to hold, and until when (ms since epoch)."""

    session: str
    account: Account
    expires_at: int


def issue_token(account: Account, secret: str) -> str:
    """A bearer token for scripts; good until the account's epoch is raised."""
    payload = base64.urlsafe_b64encode(f"{account.epoch}:{account.id}".encode()).decode().rstrip("=")
    return f"{_TOKEN_START}{payload}.{sign(secret, _TOKEN, payload)}"


def read_token(token: str, secret: str) -> tuple[str, int] | None:
    """(account id, epoch) of a token that was signed with this secret, else None."""
    payload, dot, signature = token.removeprefix(_TOKEN_START).partition(".")
    if not dot or not token.startswith(_TOKEN_START) or not holds(secret, _TOKEN, payload, signature):
        return None
    try:
        epoch, _, account = (
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().partition(":")
        )
        return account, int(epoch)
    except (binascii.Error, ValueError):
        return None


def require(caller: Caller, *roles: str) -> Account:
    """The caller's account, if it holds one of these roles (none named: any account will do).

    Raises Unauthenticated if nobody is logged in, Forbidden if it holds none of them.
    """
    if caller.account is None:
        raise Unauthenticated
    if roles and not caller.has(*roles):
        raise Forbidden(f"this is open to: {', '.join(roles)}")
    return caller.account


class Access:
    """Logging in and out, and finding out who is calling."""

    def __init__(
        self,
        *,
        secret: str,
        store: AccessStore,
        hasher: PasswordHasher,
        clock: Clock,
        random_id: Callable[[], str],
        limits: Callable[[str, int, int], Limit] = lambda _kind, most, within_ms: Tries(most, within_ms),
    ) -> None:
        """`random_id` gives at least 128 bits that nobody can guess, in letters, digits, - and _.

        `limits` makes what counts failed logins: of which kind of names, how many, within how long (ms).
        """
        self._secret = secret
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._random_id = random_id
        self._of_account = limits("account", FAILED_TRIES, TRIES_WITHIN_MS)
        self._of_address = limits("address", FAILED_TRIES_OF_ADDRESS, TRIES_WITHIN_MS)

    def login(self, email: str, password: str, address: str) -> Login:
        """A new session. `address` is where the call came from.

        Raises Unauthenticated (the same for an unknown account, a closed one and a wrong password), TooManyTries, and Unavailable
        when too many log in at once.
        """
        now = self._clock.now()
        email = email.strip().lower()
        with self._of_address.one(address, now), self._of_account.one(email, now):
            account = self._who(email, password)
        raw = self._random_id()
        session = Session(
            id=_hashed(raw), account=account.id, epoch=account.epoch, created_at=now, expires_at=now + IDLE_MS
        )
        self._store.open_session(session)
        return Login(session=raw, account=account, expires_at=session.expires_at)

    def confirm(self, account: Account, password: str, address: str) -> bool:
        """Whether this is the account's password; wrong ones count as tries to log in. Raises TooManyTries, Unavailable."""
        now = self._clock.now()
        try:
            with self._of_address.one(address, now), self._of_account.one(account.email, now):
                return self._who(account.email, password).id == account.id
        except Unauthenticated:
            return False

    def hash(self, password: str) -> str:
        """What is stored of a new password. Raises Unavailable when too many are hashed at once."""
        return self._hasher.hash(password)

    def logout(self, raw: str) -> None:
        """End a session here, so that what the browser holds is worth nothing."""
        self._store.end_session(_hashed(raw))

    def of_session(self, raw: str) -> Account | None:
        """Whose session this is; None if it is over."""
        found = self._store.session(_hashed(raw))
        now = self._clock.now()
        if found is None:
            return None
        session, account = found
        if not account.active or account.epoch != session.epoch or session.expires_at <= now:
            return None
        self._prolong(session, now)
        return account

    def of_token(self, token: str) -> Account | None:
        """Whose token this is; None if it is void."""
        claimed = read_token(token, self._secret)
        if claimed is None:
            return None
        account = self._store.account(claimed[0])
        return account if account is not None and account.active and account.epoch == claimed[1] else None

    def form_token(self, bound_to: str) -> str:
        """What a page must send back with what it changes; `bound_to` is the session (or the visitor's cookie)."""
        return sign(self._secret, _FORM, bound_to)

    def form_token_holds(self, bound_to: str, token: str) -> bool:
        """Whether this token was given to this session (or visitor)."""
        return holds(self._secret, _FORM, bound_to, token)

    def visitor(self) -> str:
        """A new value for the cookie of an anonymous visitor."""
        return self._random_id()

    def forget_ended(self) -> int:
        """Delete sessions that are over; how many."""
        return self._store.forget_sessions(self._clock.now())

    def _who(self, email: str, password: str) -> Account:
        known = self._store.credentials(email)
        right = self._hasher.verify(known.password_hash if known else None, password)
        if known is None or not right or not known.account.active:
            raise Unauthenticated("the e-mail address or the password is wrong")
        return known.account

    def _prolong(self, session: Session, now: int) -> None:
        end = min(now + IDLE_MS, session.created_at + LONGEST_MS)
        if end - session.expires_at >= RENEW_AFTER_MS:
            self._store.prolong(session.id, end)


def _hashed(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()

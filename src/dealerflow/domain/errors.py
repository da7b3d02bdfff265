"""The small tree of errors that the core raises. The web layer maps each class to one HTTP status."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with an input: where (`pointer`, RFC 6901 JSON pointer, "" for the whole) and what to do."""

    pointer: str
    detail: str


class DealerflowError(Exception):
    """Something that a caller asked for could not be done."""

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or (self.__doc__ or "").strip()
        super().__init__(self.detail)


class Malformed(DealerflowError):
    """The request could not be understood."""  # 400


class Unauthenticated(DealerflowError):
    """Who is calling is not known: log in, or send a valid token."""  # 401


class Forbidden(DealerflowError):
    """This is not open to your role."""  # 403


class NotFound(DealerflowError):
    """There is no such thing, or it is not yours to see."""  # 404


class Conflict(DealerflowError):
    """The state of things does not allow this now."""  # 409

    def __init__(self, detail: str = "", **facts: object) -> None:
        super().__init__(detail)
        self.facts = facts


class TooLarge(DealerflowError):
    """The request body is too large."""  # 413


class UnsupportedMedia(DealerflowError):
    """The body is of a type that is not taken here."""  # 415


class Invalid(DealerflowError):
    """The input is wrong; every fault is named."""  # 422

    def __init__(self, faults: Sequence[Fault], detail: str = "") -> None:
        self.faults = tuple(faults)
        super().__init__(detail or "; ".join(f"{f.pointer or 'input'}: {f.detail}" for f in self.faults))


class TooManyTries(DealerflowError):
    """That was tried too often; wait a while."""  # 429

    def __init__(self, detail: str = "", retry_after_s: int = 60) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Unavailable(DealerflowError):
    """A part that is needed is down; try again later."""  # 503

    def __init__(self, detail: str = "", retry_after_s: int = 2) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Outage(DealerflowError):
    """A dependency (database, mail server, payment provider) cannot be reached. Waiting helps; it is no failed attempt."""


class LeaseLost(DealerflowError):
    """The message was given to another worker in the meantime; this one's work is undone."""

"""Who is alive: a worker is, while it holds a lock that the system itself frees at its death, however it dies.

On one machine that is `flock` on a file in the run directory (`PostgresLiveness`, next door, serves several machines).
An owner's name contains its start, so a worker that was started again is another owner than the one that died.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import Protocol

from dealerflow.domain.errors import Conflict

_LOCK_SUFFIX = ".lock"
_PREFIX = "worker-"


class Liveness(Protocol):
    """Tells who works. Raises Outage when that cannot be known now: then nobody is taken for dead."""

    @property
    def owner(self) -> str:
        """This worker's name; no other worker, and no later start of this one, has the same."""

    def hold(self) -> None:
        """Take, or after an outage take again, the lock that says that this worker is alive."""

    def alive(self) -> set[str]:
        """The owners that are alive, this one included."""

    def release(self) -> None:
        """Be alive no longer."""


def new_owner() -> str:
    """A name for a worker of this process: of the process, and by chance, so that it is never used again."""
    return f"{os.getpid()}-{secrets.token_hex(6)}"


class FileLock:
    """A lock on a file, held by at most one process at a time, and freed at its death."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def acquire(self) -> bool:
        """Try to take it, without waiting; True also when it is held already."""
        if self._file >= 0:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(file, fcntl.LOCK_EX):
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Free it. If it is not held this does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class DirectoryLock:
    """Sees to it that only one `serve` runs on a data directory."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._lock = FileLock(data / "run" / "serve.lock")

    def acquire(self) -> None:
        """Raises Conflict when another process serves this directory."""
        if not self._lock.acquire():
            raise Conflict(
                f"another Dealerflow already serves {self._data}; stop it, or use another --data directory"
            )

    def release(self) -> None:
        """Let another one serve."""
        self._lock.release()


class FileLiveness:
    """`Liveness` among the processes of one machine."""

    def __init__(self, run: Path, owner: str | None = None) -> None:
        self._run = run
        self._owner = owner or new_owner()
        self._file = -1

    @property
    def owner(self) -> str:
        return self._owner

    def hold(self) -> None:
        if self._file >= 0:
            return
        self._run.mkdir(parents=True, exist_ok=True)
        # It gets its name only when it is locked: whoever looks never takes a starting worker for a dead one.
        unnamed = self._run / f"{_PREFIX}{self._owner}.new"
        self._file = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
        _lock(self._file, fcntl.LOCK_EX)
        unnamed.rename(self._path(self._owner))

    def alive(self) -> set[str]:
        found = {path.name for path in self._run.glob(f"{_PREFIX}*{_LOCK_SUFFIX}")}
        owners = {name.removeprefix(_PREFIX).removesuffix(_LOCK_SUFFIX) for name in found}
        return {owner for owner in owners if self._is_alive(owner)}

    def release(self) -> None:
        if self._file >= 0:
            self._path(self._owner).unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def _path(self, owner: str) -> Path:
        return self._run / f"{_PREFIX}{owner}{_LOCK_SUFFIX}"

    def _is_alive(self, owner: str) -> bool:
        try:
            file = os.open(self._path(owner), os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who look at the same time do not take each other for the owner.
            if not _lock(file, fcntl.LOCK_SH):
                return True
            self._path(owner).unlink(missing_ok=True)
            return False
        finally:
            os.close(file)


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

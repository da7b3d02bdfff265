"""Passwords as argon2id hashes. The work of a try is bounded, and so is how much of it is done at once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import argon2
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from dealerflow.domain.errors import Unavailable

# OWASP's cheat sheet on password storage: argon2id with 19 MiB, 2 passes and 1 lane.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
AT_ONCE = 2
MOST_WAITING = 6  # they hold threads that others need
LONGEST_WAIT_S = 3.0


class Argon2Hasher:
    """Implements `application.access.PasswordHasher`. Threads may share one."""

    def __init__(
        self, *, memory_kib: int = MEMORY_KIB, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING
    ) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=PASSES, memory_cost=memory_kib, parallelism=LANES)
        self._turns = threading.BoundedSemaphore(at_once)
        self._waiting = threading.BoundedSemaphore(at_once + most_waiting)
        # A hash of no account, so that an unknown one costs the same work.
        self._nobodys = self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        with self._turn():
            return self._hasher.hash(password)

    def verify(self, password_hash: str | None, password: str) -> bool:
        with self._turn():
            try:
                right = self._hasher.verify(password_hash or self._nobodys, password)
            except (VerifyMismatchError, InvalidHashError):
                return False
        return right and password_hash is not None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._waiting.acquire(blocking=False):
            raise Unavailable("too many people log in at once; try again in a moment")
        try:
            if not self._turns.acquire(timeout=LONGEST_WAIT_S):
                raise Unavailable("too many people log in at once; try again in a moment")
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._waiting.release()


def random_id() -> str:
    """192 bits that nobody can guess: 32 letters, digits, - and _."""
    return secrets.token_urlsafe(24)

"""Failed logins, counted for all instances of the function together: each has a memory of its own, and there may be hundreds.

Items in the table of idempotency keys count a name's tries in slots, a tenth each of the time in which they count:

    item, one for each such time     | 0  1  2  3  4  5  6  7  8  9 | 10 11 12 …
    what counts at a moment of 12           └──────────────────────────────┘

A slot counts whole as long as any part of it does. So there is no moment at which a name may try more often than it should,
and it may have to wait a tenth longer than it must. An item expires when none of its slots counts any more.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.names import Names
from dealerflow.domain.errors import Outage, TooManyTries, Unauthenticated

log = logging.getLogger(__name__)

SLOTS = 10
_PREFIX = "slot"  # of the attributes that count, with the slot's number behind it


class DynamoTries:
    """Implements `application.tries.Limit`. `kind` keeps names of one sort apart from those of another."""

    def __init__(self, clients: Clients, names: Names, kind: str, most: int, within_ms: int) -> None:
        self._clients = clients
        self._table = names.table
        self._kind = kind
        self._most = most
        self._slot_ms = -(-within_ms // SLOTS)

    @contextmanager
    def one(self, name: str, now: int) -> Iterator[None]:
        """See `Limit.one`. Raises Outage while the table is away: nobody guesses passwords uncounted."""
        slot = now // self._slot_ms
        # Counted before it is looked at: of two at once neither overlooks the other.
        counted = {**self._count(name, slot, 1), **self._slots_before(name, slot)}
        tries = {one: number for one, number in counted.items() if one >= slot - SLOTS and number > 0}
        if sum(tries.values()) > self._most:
            self._undo(name, slot)
            wait = ((min(tries) + SLOTS + 1) * self._slot_ms - now) // 1000 + 1
            raise TooManyTries(f"that was tried too often; try again in {wait} seconds", retry_after_s=wait)
        try:
            yield
        except Unauthenticated:
            raise
        except BaseException:
            self._undo(name, slot)
            raise
        self._undo(name, slot)

    def _key(self, name: str, item: int) -> dict[str, Any]:
        # A digest: the table need not know who logs in.
        return {"id": {"S": f"tries {self._kind} {hashlib.sha256(name.encode()).hexdigest()} {item}"}}

    def _count(self, name: str, slot: int, by: int) -> dict[int, int]:
        item = slot // SLOTS
        over_at = (item + 2) * SLOTS * self._slot_ms + self._slot_ms
        with aws_calls("DynamoDB"):
            counted = self._clients.dynamodb.update_item(
                TableName=self._table,
                Key=self._key(name, item),
                UpdateExpression="ADD #slot :by SET #expires = :expires",
                ExpressionAttributeNames={"#slot": f"{_PREFIX}{slot}", "#expires": "expires"},
                ExpressionAttributeValues={
                    ":by": {"N": str(by)},
                    ":expires": {"N": str(-(-over_at // 1000))},
                },
                ReturnValues="ALL_NEW",
            )
        return _slots(counted["Attributes"])

    def _slots_before(self, name: str, slot: int) -> dict[int, int]:
        """Those of the item before, which count until this item's are full."""
        with aws_calls("DynamoDB"):
            found = self._clients.dynamodb.get_item(
                TableName=self._table, Key=self._key(name, slot // SLOTS - 1), ConsistentRead=True
            )
        return _slots(found.get("Item", {}))

    def _undo(self, name: str, slot: int) -> None:
        try:
            self._count(name, slot, -1)
        except (Outage, ClientError) as error:
            log.warning("a login that was no failed try counts as one for now: %s", error)


def _slots(item: Mapping[str, Any]) -> dict[int, int]:
    """Slot → how many tries."""
    return {
        int(name.removeprefix(_PREFIX)): int(value["N"])
        for name, value in item.items()
        if name.startswith(_PREFIX)
    }

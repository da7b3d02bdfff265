"""Failed logins, counted for all instances of the function together: each has a memory of its own, and there may be hundreds.

One item in the table of idempotency keys counts a name's tries in one window of time, and expires after it. Windows are not
sliding: at the turn from one to the next a name may try twice as often for a moment.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.names import Names
from dealerflow.domain.errors import Outage, TooManyTries, Unauthenticated

log = logging.getLogger(__name__)


class DynamoTries:
    """Implements `application.tries.Limit`. `kind` keeps names of one sort apart from those of another."""

    def __init__(self, clients: Clients, names: Names, kind: str, most: int, within_ms: int) -> None:
        self._clients = clients
        self._table = names.table
        self._kind = kind
        self._most = most
        self._within = within_ms

    @contextmanager
    def one(self, name: str, now: int) -> Iterator[None]:
        """See `Limit.one`. Raises Outage while the table is away: nobody guesses passwords uncounted."""
        window = now // self._within
        over_at = (window + 1) * self._within
        # A digest: the table need not know who logs in.
        item = f"tries {self._kind} {hashlib.sha256(name.encode()).hexdigest()} {window}"
        if self._count(item, 1, over_at) > self._most:
            wait = (over_at - now) // 1000 + 1
            raise TooManyTries(f"that was tried too often; try again in {wait} seconds", retry_after_s=wait)
        try:
            yield
        except Unauthenticated:
            raise
        except BaseException:
            self._undo(item, over_at)
            raise
        self._undo(item, over_at)

    def _count(self, item: str, by: int, over_at: int) -> int:
        with aws_calls("DynamoDB"):
            counted = self._clients.dynamodb.update_item(
                TableName=self._table,
                Key={"id": {"S": item}},
                UpdateExpression="ADD #tries :by SET #expires = :expires",
                ExpressionAttributeNames={"#tries": "tries", "#expires": "expires"},
                ExpressionAttributeValues={
                    ":by": {"N": str(by)},
                    ":expires": {"N": str(-(-over_at // 1000))},
                },
                ReturnValues="UPDATED_NEW",
            )
        return int(counted["Attributes"]["tries"]["N"])

    def _undo(self, item: str, over_at: int) -> None:
        try:
            self._count(item, -1, over_at)
        except (Outage, ClientError) as error:
            log.warning("a login that was no failed try counts as one until its window is over: %s", error)

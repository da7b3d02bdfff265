"""The snapshot of catalogue and dealerships as one object in S3, which any number of functions read and few replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls, code_of
from dealerflow.adapters.aws.names import SNAPSHOT_KEY
from dealerflow.domain.errors import Outage

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PUT_TRIES = 3
_NUMBER = "number"  # in the object's metadata
_MISSING = ("404", "NoSuchKey")
_NOT_MODIFIED = ("304", "NotModified")
_CHANGED_MEANWHILE = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class StoredSnapshot:
    """The one object, with its number in its metadata. What was read is remembered, and asked for again by its ETag."""

    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients = clients
        self._bucket = bucket
        self._etag = ""
        self._held: tuple[int, bytes] | None = None

    def get(self) -> tuple[int, bytes] | None:
        """The snapshot that is kept, None before there is one. Raises Outage."""
        known: Any = {"IfNoneMatch": self._etag} if self._etag else {}
        with aws_calls("S3"):
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=SNAPSHOT_KEY, **known)
                self._held = int(found["Metadata"][_NUMBER]), found["Body"].read()
                self._etag = found["ETag"]
            except ClientError as error:
                if code_of(error) in _MISSING:
                    self._etag, self._held = "", None
                elif code_of(error) not in _NOT_MODIFIED:
                    raise
        return self._held

    def put(self, number: int, body: bytes) -> None:
        """Keep it unless a newer one is kept, also where another puts at the same time. Raises Outage."""
        for _ in range(PUT_TRIES):
            kept, condition = self._kept()
            if kept >= number:
                return
            if self._is_put(number, body, condition):
                return
        raise Outage("S3 keeps another snapshot at every try")

    def _kept(self) -> tuple[int, dict[str, Any]]:
        """The number of the snapshot that is kept, and the condition that it is still that one."""
        with aws_calls("S3"):
            try:
                head = self._s3.head_object(Bucket=self._bucket, Key=SNAPSHOT_KEY)
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return -1, {"IfNoneMatch": "*"}
                raise
        return int(head["Metadata"].get(_NUMBER, -1)), {"IfMatch": head["ETag"]}

    def _is_put(self, number: int, body: bytes, condition: dict[str, Any]) -> bool:
        with aws_calls("S3"):
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=SNAPSHOT_KEY,
                    Body=body,
                    ContentType="application/json",
                    Metadata={_NUMBER: str(number)},
                    **condition,
                )
            except ClientError as error:
                if code_of(error) in _CHANGED_MEANWHILE:
                    return False
                raise
        return True

    @property
    def _s3(self) -> S3Client:
        return self._clients.s3

"""The clients of AWS's services, each made when it is first asked for: making one costs a cold start some 20 ms."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sesv2 import SESV2Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_stepfunctions import SFNClient

# Somebody waits for most answers, and SQS offers again what was not done: better an outage soon than an answer late. A
# service that hangs is given up within 15 to 20 seconds, less than the 29 that a page has.
CONNECT_SECONDS = 2
ANSWER_SECONDS = 4
TRIES = 3


class Clients:
    """One of each. Credentials, and an endpoint of one's own (AWS_ENDPOINT_URL), come from the environment, as AWS has it."""

    def __init__(
        self,
        region: str,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        tries: int = TRIES,
    ) -> None:
        self._region = region
        self._config = Config(
            connect_timeout=connect_seconds,
            read_timeout=answer_seconds,
            retries={"mode": "standard", "total_max_attempts": tries},
        )
        self._lock = threading.Lock()  # clients may be used by any thread, but not made by two at once
        self._session: boto3.session.Session | None = None
        self._made: dict[str, Any] = {}

    @property
    def dynamodb(self) -> DynamoDBClient:
        return self._client("dynamodb")  # type: ignore[no-any-return]

    @property
    def events(self) -> EventBridgeClient:
        return self._client("events")  # type: ignore[no-any-return]

    @property
    def functions(self) -> LambdaClient:
        return self._client("lambda")  # type: ignore[no-any-return]

    @property
    def s3(self) -> S3Client:
        return self._client("s3")  # type: ignore[no-any-return]

    @property
    def secrets(self) -> SecretsManagerClient:
        return self._client("secretsmanager")  # type: ignore[no-any-return]

    @property
    def ses(self) -> SESV2Client:
        return self._client("sesv2")  # type: ignore[no-any-return]

    @property
    def sns(self) -> SNSClient:
        return self._client("sns")  # type: ignore[no-any-return]

    @property
    def sqs(self) -> SQSClient:
        return self._client("sqs")  # type: ignore[no-any-return]

    @property
    def step_functions(self) -> SFNClient:
        return self._client("stepfunctions")  # type: ignore[no-any-return]

    def _client(self, service: str) -> Any:
        with self._lock:
            if self._session is None:
                self._session = boto3.session.Session(region_name=self._region)
            if service not in self._made:
                self._made[service] = self._session.client(service, config=self._config)  # type: ignore[call-overload]
            return self._made[service]

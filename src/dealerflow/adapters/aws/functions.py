"""Functions on a state: a Lambda by its ARN, else Python code in the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ReadTimeoutError

from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.application.functions import FunctionCall, Functions
from dealerflow.domain.errors import DealerflowError, Outage
from dealerflow.pipeline.functions import LAMBDA

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[dict[str, Any] | None] = msgspec.json.Decoder(dict[str, Any] | None)


class FunctionFailed(DealerflowError):
    """A Lambda of one's own failed, or answered something else than an object or null."""


class LambdaFunctions:
    """Implements `application.functions.Functions`: calls a Lambda and waits for the facts that it returns.

    `others` is asked for what is no ARN.
    """

    def __init__(self, client: LambdaClient, others: Functions) -> None:
        self._client = client
        self._others = others

    def call(self, call: FunctionCall) -> dict[str, Any] | None:
        if not LAMBDA.fullmatch(call.function):
            return self._others.call(call)
        try:
            with aws_calls("Lambda"):
                answer = self._client.invoke(FunctionName=call.function, Payload=_encode(call))
        except Outage as outage:
            if isinstance(
                outage.__cause__, ReadTimeoutError
            ):  # it is there, and too slow: it would be so the next time
                raise FunctionFailed(f"{call.function} did not answer in time") from outage
            raise
        said = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise FunctionFailed(f"{call.function} failed: {said[:500].decode(errors='replace')}")
        try:
            return _decoder.decode(said or b"null")
        except msgspec.MsgspecError as error:
            raise FunctionFailed(f"{call.function} must answer a JSON object or null: {error}") from error

"""Which errors of AWS are outages: the right answer keeps a message, the wrong one loses it among the dead letters."""

from __future__ import annotations

import pytest
from botocore import exceptions as aws
from botocore.exceptions import ClientError

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.domain.errors import Outage


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "so it is"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "SendMessage",
    )


@pytest.mark.parametrize(
    "error",
    [
        refusal("ThrottlingException"),
        refusal("RequestThrottled"),
        refusal("ProvisionedThroughputExceededException"),
        refusal("SlowDown", 503),
        refusal("InternalFailure", 500),
        refusal("ServiceUnavailable", 503),
        refusal("AccessDenied", 403),
        refusal("ExpiredTokenException", 403),
        refusal("AWS.SimpleQueueService.NonExistentQueue"),
        refusal("QueueDoesNotExist"),
        refusal("ResourceNotFoundException"),
        refusal("StateMachineDoesNotExist"),
        aws.EndpointConnectionError(endpoint_url="https://sqs"),
        aws.ConnectTimeoutError(endpoint_url="https://sqs"),
        aws.ReadTimeoutError(endpoint_url="https://sqs"),
        aws.ConnectionClosedError(endpoint_url="https://sqs"),
        aws.NoCredentialsError(),
    ],
    ids=repr,
)
def test_waiting_or_mending_the_installation_helps(error: Exception) -> None:
    with pytest.raises(Outage, match="SQS") as outage, aws_calls("SQS"):
        raise error
    assert outage.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        refusal("InvalidParameterValue"),
        refusal("ValidationException"),
        refusal("ConditionalCheckFailedException"),
        refusal("TaskTimedOut"),
        refusal("BatchRequestTooLong"),
        aws.ParamValidationError(report="no such parameter"),
        ValueError("ours"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_the_call_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as passed, aws_calls("SQS"):
        raise error
    assert passed.value is error


def test_nobody_there_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Outage, match="SQS cannot be reached"), aws_calls("SQS"):
        Clients("us-east-1", tries=1).sqs.list_queues()


def test_a_client_is_made_once() -> None:
    clients = Clients("us-east-1")
    assert clients.sqs is clients.sqs

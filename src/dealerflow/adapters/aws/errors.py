"""Which errors of AWS are outages: waiting, or mending the installation, helps, and no message is at fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.exceptions import ConnectionError as NotConnected

from dealerflow.domain.errors import Outage

# https://docs.aws.amazon.com/general/latest/gr/common-errors.html, and what single services call the same.
BUSY = frozenset(
    {
        "ExecutionLimitExceeded",  # of Step Functions: a million are open
        "KMS.ThrottlingException",
        "KMSThrottling",
        "KmsThrottled",
        "KmsThrottlingException",
        "OverLimit",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ResourceConflictException",  # a Lambda that is being changed
        "SlowDown",
        "SnapStartNotReadyException",
        "Throttled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# The installation, not the call: permissions, credentials, and things that are not (or not yet) there.
NOT_SET_UP = frozenset(
    {
        "403",  # of a HEAD, which has no words
        "AWS.SimpleQueueService.NonExistentQueue",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "KMS.AccessDeniedException",
        "KMS.DisabledException",
        "KMSAccessDenied",
        "KMSDisabled",
        "KMSInvalidState",
        "KMSNotFound",
        "KmsAccessDenied",
        "KmsAccessDeniedException",
        "KmsDisabled",
        "KmsInvalidState",
        "KmsInvalidStateException",
        "KmsNotFound",
        "NoSuchBucket",
        "NotFound",
        "QueueDoesNotExist",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "ResourceNotFoundException",
        "SignatureDoesNotMatch",
        "StateMachineDeleting",
        "StateMachineDoesNotExist",
        "UnrecognizedClientException",
    }
)
_OF_THE_SERVER = 500


class Unreachable(Outage):
    """No answer at all: whoever asks the same service for something else now waits as long for nothing."""


@contextmanager
def aws_calls(service: str) -> Iterator[None]:
    """Around calls of this service ("SQS"). Raises Outage; what the service says of the call itself passes as it is."""
    try:
        yield
    except ClientError as error:
        if not is_outage(error):
            raise
        raise Outage(f"{service} {_refusal(error)}") from error
    except ParamValidationError:
        raise  # our fault, whatever the service does
    except (HTTPClientError, NotConnected) as error:
        raise Unreachable(f"{service} cannot be reached: {error}") from error
    except NoCredentialsError as error:
        raise Outage(f"{service} cannot be used: there are no credentials") from error
    except BotoCoreError as error:
        raise Outage(f"{service} cannot be used: {error}") from error


def code_of(error: ClientError) -> str:
    """What the service calls the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_outage(error: ClientError) -> bool:
    """Whether the same call may succeed later."""
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return code in BUSY or code in NOT_SET_UP or status >= _OF_THE_SERVER


def _refusal(error: ClientError) -> str:
    code, said = code_of(error), error.response.get("Error", {}).get("Message", "")
    if code in BUSY:
        return f"is busy ({code})"
    if code in NOT_SET_UP:
        return f"is not set up for this ({code}): {said}"
    return f"has a fault ({code}): {said}"

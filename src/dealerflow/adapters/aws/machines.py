"""Step Functions: an execution for each order, started, told and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.names import Names
from dealerflow.application.executions import Beginning, Decision

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

LONGEST_CAUSE = 32_000  # characters; the service takes 32,768
_encode = msgspec.json.Encoder().encode
_RUNS = ("RUNNING", "PENDING_REDRIVE")
# What the service says of a token that is not, or no longer, waited for.
_NOT_WAITED_FOR = ("TaskDoesNotExist", "TaskTimedOut", "InvalidToken")
# What it says of an execution that cannot be stopped. Id and cause are ours, so nothing else can be invalid.
_NOT_RUNNING = ("ExecutionDoesNotExist", "ValidationException")


class StepFunctions:
    """Implements `application.executions.StateMachines`."""

    def __init__(self, client: SFNClient, names: Names) -> None:
        self._client = client
        self._names = names

    def start(self, beginning: Beginning) -> str:
        machine = self._names.state_machine_arn(beginning.pipeline)
        entry = {
            "order": beginning.order,
            "state": beginning.state,
            "decision": Decision(step=beginning.step),
        }
        with aws_calls("Step Functions"):
            try:
                started = self._client.start_execution(
                    stateMachineArn=machine, name=beginning.name, input=_encode(entry).decode()
                )
            except self._client.exceptions.ExecutionAlreadyExists:
                # It was started with this very input before. (AWS says so only once it has ended, the emulator always.)
                return self._names.execution_arn(beginning.pipeline, beginning.name)
        return started["executionArn"]

    def tell(self, token: str, order: str, decision: Decision) -> bool:
        output = _encode({"order": order, "decision": decision}).decode()
        with aws_calls("Step Functions"):
            try:
                self._client.send_task_success(taskToken=token, output=output)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in _NOT_WAITED_FOR:
                    return False
                raise
        return True

    def stop(self, execution: str, reason: str) -> None:
        with aws_calls("Step Functions"):
            try:
                self._client.stop_execution(executionArn=execution, cause=reason)
            except self._client.exceptions.ClientError as refused:
                if refused.response["Error"]["Code"] not in _NOT_RUNNING:
                    raise

    def ended(self, execution: str) -> str | None:
        """See `application.following.ExecutionStatuses`."""
        with aws_calls("Step Functions"):
            try:
                status = self._client.describe_execution(executionArn=execution)["status"]
            except self._client.exceptions.ExecutionDoesNotExist:
                return "not known any more"
        return None if status in _RUNS else status

    def refuse(self, token: str, error: str, cause: str) -> None:
        """Let the task that waits with this token fail with this error; nothing if none does."""
        with aws_calls("Step Functions"):
            try:
                self._client.send_task_failure(taskToken=token, error=error, cause=cause[:LONGEST_CAUSE])
            except self._client.exceptions.ClientError as refused:
                if refused.response["Error"]["Code"] not in _NOT_WAITED_FOR:
                    raise

"""AWS in small: what stands behind boto3's clients. Each call passes the gate, and does what the service would, to `SmallAws`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError as ClientException

from dealerflow.adapters.aws.names import TOPICS

if TYPE_CHECKING:
    from tests.aws.small import Running, SmallAws

Json = dict[str, Any]

MOST_BYTES = 256 * 1024  # of one message, and of one call of SQS and SNS
MOST_BYTES_TOLD = 262_144  # to an execution


def clients_of(aws: SmallAws) -> Any:
    """The clients of all services, by the names of `adapters.aws.clients`."""
    return SimpleNamespace(
        sqs=_Sqs(aws),
        sns=_Sns(aws),
        events=_Events(aws),
        step_functions=_StepFunctions(aws),
        dynamodb=_DynamoDb(aws),
        s3=_S3(aws),
        ses=_Ses(aws),
        functions=_Lambda(aws),
    )


def _refused(code: str, operation: str) -> ClientException:
    return ClientException({"Error": {"Code": code, "Message": code}}, operation)


class _Exceptions:
    """What a client's `exceptions` has: classes by error code."""

    ClientError: type[ClientException] = ClientException

    def __init__(self, *codes: str) -> None:
        for code in codes:
            setattr(self, code, type(code, (ClientException,), {}))

    def refuse(self, code: str, operation: str) -> ClientException:
        """An error of this class."""
        error: ClientException = getattr(self, code)({"Error": {"Code": code, "Message": code}}, operation)
        return error


def _check_size(operation: str, *bodies: str) -> None:
    if sum(len(body.encode()) for body in bodies) > MOST_BYTES:
        raise _refused("AWS.SimpleQueueService.BatchRequestTooLong", operation)


def _check_characters(operation: str, *bodies: str) -> None:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    if any(sign in body for body in bodies for sign in "\x00\ufffe\uffff"):
        raise _refused("InvalidMessageContents", operation)


class _Sqs:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws
        self.exceptions = _Exceptions("QueueDoesNotExist")

    def send_message(
        self,
        *,
        QueueUrl: str,
        MessageBody: str,
        MessageGroupId: str = "",
        MessageAttributes: Json | None = None,
    ) -> Json:
        with self._aws.gate.around(f"sqs send {QueueUrl.rsplit('/', 1)[1]}"):
            attributes = [(MessageAttributes or {}).get("error", {}).get("StringValue", "")]
            _check_size("SendMessage", MessageBody, *attributes)
            _check_characters("SendMessage", MessageBody, *attributes)
            if not QueueUrl.endswith("-dead"):
                self._aws.groups.append((MessageGroupId, MessageBody))
            self._aws.put(QueueUrl, MessageBody, MessageGroupId, MessageAttributes)
        return {}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Json]) -> Json:
        with self._aws.gate.around(f"sqs send {QueueUrl.rsplit('/', 1)[1]}"):
            _check_size("SendMessageBatch", *(entry["MessageBody"] for entry in Entries))
            _check_characters("SendMessageBatch", *(entry["MessageBody"] for entry in Entries))
            if any(self._aws.chokes_on(entry["MessageBody"]) for entry in Entries):
                raise _refused("InvalidMessageContents", "SendMessageBatch")
            refused = [entry for entry in Entries if self._aws.refuses(entry["MessageBody"])]
            for entry in Entries:
                if entry not in refused:
                    self._aws.groups.append((entry.get("MessageGroupId", ""), entry["MessageBody"]))
                    self._aws.put(QueueUrl, entry["MessageBody"], entry.get("MessageGroupId", ""))
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in refused]}

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:
        with self._aws.gate.around("sqs visibility"):
            found = [sent for sent in self._aws.queues[QueueUrl] if sent.receipt == ReceiptHandle]
            if not found:
                raise _refused("InvalidParameterValue", "ChangeMessageVisibility")
            for sent in found:
                sent.visible_at = self._aws.clock.now() + VisibilityTimeout * 1000

    def receive_message(
        self, *, QueueUrl: str, MaxNumberOfMessages: int, VisibilityTimeout: int, **_: Any
    ) -> Json:
        now = self._aws.clock.now()
        with self._aws.gate.around("sqs receive"):
            found = [sent for sent in self._aws.queues[QueueUrl] if sent.visible_at <= now]
            given = found[:MaxNumberOfMessages]
            for sent in given:
                sent.receipt, sent.visible_at = f"r{self._aws.number()}", now + VisibilityTimeout * 1000
        return {
            "Messages": [
                {
                    "MessageId": sent.id,
                    "ReceiptHandle": sent.receipt,
                    "Body": sent.body,
                    "Attributes": {"SentTimestamp": str(sent.sent_at)},
                    "MessageAttributes": sent.attributes,
                }
                for sent in given
            ]
        }

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[Json]) -> Json:
        receipts = {entry["ReceiptHandle"] for entry in Entries}
        with self._aws.gate.around("sqs delete"):
            lying = self._aws.queues[QueueUrl]
            self._aws.queues[QueueUrl] = [sent for sent in lying if sent.receipt not in receipts]
        return {}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[Json]) -> Json:
        for entry in Entries:
            self.change_message_visibility(
                QueueUrl=QueueUrl,
                ReceiptHandle=entry["ReceiptHandle"],
                VisibilityTimeout=entry["VisibilityTimeout"],
            )
        return {}

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> Json:
        now = self._aws.clock.now()
        lying = self._aws.queues[QueueUrl]
        visible = sum(sent.visible_at <= now for sent in lying)
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(visible),
                "ApproximateNumberOfMessagesNotVisible": str(len(lying) - visible),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        }


class _Sns:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws

    def publish_batch(self, *, TopicArn: str, PublishBatchRequestEntries: list[Json]) -> Json:
        topic = TopicArn.rsplit(":", 1)[1]
        assert topic.removeprefix(f"{self._aws.names.stack}-") in TOPICS
        with self._aws.gate.around(f"sns publish {topic}"):
            _check_size("PublishBatch", *(entry["Message"] for entry in PublishBatchRequestEntries))
            for entry in PublishBatchRequestEntries:
                self._aws.groups.append((entry.get("MessageGroupId", ""), entry["Message"]))
                self._aws.published.append((topic, entry["Message"]))
                self._aws.put(
                    self._aws.names.queue_url("notifications"),
                    entry["Message"],
                    entry.get("MessageGroupId", ""),
                )
        return {}


class _Events:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws

    def put_events(self, *, Entries: list[Json]) -> Json:
        with self._aws.gate.around("events put"):
            self._aws.bus += [json.loads(entry["Detail"]) for entry in Entries]
        return {"Entries": [{"EventId": "e"} for _ in Entries]}


class _StepFunctions:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws
        self.exceptions = _Exceptions("ExecutionAlreadyExists", "ExecutionDoesNotExist")

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Json:  # noqa: A002 - boto3's
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        with self._aws.gate.around("states start"):
            if arn in self._aws.executions:
                raise self.exceptions.refuse("ExecutionAlreadyExists", "StartExecution")
            if stateMachineArn not in self._aws.machines:
                raise _refused("StateMachineDoesNotExist", "StartExecution")
            machine = self._aws.machines[stateMachineArn]
            self._aws.start(arn, machine, json.loads(input))
        return {"executionArn": arn}

    def _waiting(self, token: str) -> Running:
        for run in self._aws.executions.values():
            if run.token == token and run.status == "RUNNING":
                return run
        raise _refused("TaskTimedOut", "SendTaskSuccess")

    def send_task_success(self, *, taskToken: str, output: str) -> None:
        with self._aws.gate.around("states tell"):
            if len(output.encode()) > MOST_BYTES_TOLD:
                raise _refused("ValidationException", "SendTaskSuccess")
            run = self._waiting(taskToken)
            definition = run.machine["States"][run.at]
            run.token = run.invoke_at = None
            run.data = json.loads(output)
            self._aws.enter(run, definition["Next"])

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:
        assert cause
        with self._aws.gate.around("states refuse"):
            self._aws.failed(self._waiting(taskToken), error)

    def stop_execution(self, *, executionArn: str, cause: str) -> None:
        assert cause
        with self._aws.gate.around("states stop"):
            if executionArn not in self._aws.executions:
                raise self.exceptions.refuse("ExecutionDoesNotExist", "StopExecution")
            run = self._aws.executions[executionArn]
            if run.status not in ("RUNNING", "ABORTED"):
                raise _refused("ValidationException", "StopExecution")
            run.status, run.token, run.invoke_at = "ABORTED", None, None

    def describe_execution(self, *, executionArn: str) -> Json:
        with self._aws.gate.around("states describe"):
            if executionArn not in self._aws.executions:
                raise self.exceptions.refuse("ExecutionDoesNotExist", "DescribeExecution")
            return {"status": self._aws.executions[executionArn].status}


class _DynamoDb:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws
        self.exceptions = _Exceptions("ConditionalCheckFailedException")

    def get_item(self, *, Key: Json, **_: Any) -> Json:
        with self._aws.gate.around("dynamodb get"):
            found = self._aws.items.get(Key["id"]["S"])
        return {"Item": found} if found else {}

    def put_item(self, *, Item: Json, **_: Any) -> None:
        with self._aws.gate.around("dynamodb put"):
            key = Item["id"]["S"]
            if key in self._aws.items:
                refused = self.exceptions.refuse("ConditionalCheckFailedException", "PutItem")
                refused.response["Item"] = self._aws.items[key]  # type: ignore[typeddict-unknown-key]
                raise refused
            self._aws.items[key] = Item

    def update_item(self, *, Key: Json, **_: Any) -> None:
        with self._aws.gate.around("dynamodb update"):
            self._aws.items[Key["id"]["S"]].pop("message", None)


class _S3:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws

    def head_object(self, *, Key: str, **_: Any) -> Json:
        self._aws.gate.reach("s3 head")
        if Key not in self._aws.objects:
            raise _refused("404", "HeadObject")
        return self._aws.objects[Key]

    def get_object(self, *, Key: str, **_: Any) -> Json:
        self._aws.gate.reach("s3 get")
        if Key not in self._aws.objects:
            raise _refused("NoSuchKey", "GetObject")
        return {**self._aws.objects[Key], "Body": BytesIO(self._aws.objects[Key]["Body"])}

    def put_object(self, *, Key: str, Body: bytes, Metadata: Mapping[str, str], **_: Any) -> None:
        self._aws.gate.reach("s3 put")
        self._aws.objects[Key] = {"Body": Body, "Metadata": dict(Metadata), "ETag": str(self._aws.number())}


class _Ses:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws
        self.exceptions = _Exceptions(
            "MessageRejected",
            "MailFromDomainNotVerifiedException",
            "AccountSuspendedException",
            "BadRequestException",
        )

    def send_email(self, *, Content: Json, **_: Any) -> Json:
        with self._aws.gate.around("ses send"):
            self._aws.mails.append(Content["Raw"]["Data"])
        return {"MessageId": f"ses-{self._aws.number()}"}


class _Lambda:
    def __init__(self, aws: SmallAws) -> None:
        self._aws = aws

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Json:
        with self._aws.gate.around("lambda invoke"):
            try:
                answer = self._aws.lambdas[FunctionName](json.loads(Payload))
            except Exception as error:  # noqa: BLE001 - somebody else's code; the service tells how it ended
                said = {"errorType": type(error).__name__, "errorMessage": str(error)}
                return {"FunctionError": "Unhandled", "Payload": BytesIO(json.dumps(said).encode())}
        return {"Payload": BytesIO(json.dumps(answer).encode())}

    def list_event_source_mappings(self, *, EventSourceArn: str, **_: Any) -> Json:
        return {"EventSourceMappings": [{"UUID": EventSourceArn.rsplit(":", 1)[1]}]}

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:
        with self._aws.gate.around("lambda switch"):
            queue = UUID.removeprefix(f"{self._aws.names.stack}-")
            (self._aws.switched_off.discard if Enabled else self._aws.switched_off.add)(queue)

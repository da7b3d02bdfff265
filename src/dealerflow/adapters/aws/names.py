"""What everything on AWS is called. One rule, the stack's name, so that nothing has to be looked up or passed around."""

from __future__ import annotations

import re

import msgspec

QUEUES = (
    "orders",
    "decisions",
    "executions",
    "payments",
    "invoices",
    "notifications",
    "deliveries",
    "events",
    "functions",
    "webhooks",
)
"""The SQS queues of an installation; each has a dead-letter queue beside it."""

FUNCTIONS = (
    "intake",
    "web",
    "orders",
    "decisions",
    "update-status",
    "executions",
    "payments",
    "invoices",
    "deliveries",
    "notifications",
    "events",
    "functions",
    "webhooks",
    "relay",
    "audit",
    "prepare",
)
TOPICS = ("notifications", "quality-alerts")
SNAPSHOT_KEY = "snapshot"

_CATCH_ALL = "deliveries"
# The bucket's name may have 63 characters, of which "-snapshots-" and the account take 23; buckets know no capitals.
_STACK = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]")
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names, URLs and ARNs of one installation.

    `stack` is the CloudFormation stack's name: lower-case letters, digits and hyphens, at most 40. `own_queues` are queues of
    one's own that a pipeline sends to: the name in the pipeline -> the URL of the SQS queue.
    """

    stack: str
    region: str
    account: str
    partition: str = "aws"
    own_queues: dict[str, str] = {}

    def __post_init__(self) -> None:
        if not _STACK.fullmatch(self.stack):
            raise ValueError(
                f"{self.stack!r} cannot be the name of an installation on AWS: it has 1 to 40 lower-case letters, digits"
                " and hyphens, begins with a letter and does not end with a hyphen"
            )

    # queues

    def physical(self, queue: str) -> str:
        """The queue on AWS that carries this queue of the program. Those of the delivery lines, and any unknown, share one."""
        return queue if queue in QUEUES or queue in self.own_queues else _CATCH_ALL

    def is_switched(self, queue: str) -> bool:
        """Whether a pause of this queue switches off its function's reading.

        Else the function looks at the pause itself, and puts what it is given into the database: queues that share one on AWS,
        and `orders`, whose messages lie in SQS alone, which forgets them after 14 days.
        """
        return queue in QUEUES and queue != "orders"

    def dead_with(self, queue: str) -> str:
        """The queue on AWS in whose dead-letter queue a note of this queue's dead messages lies. The bus has none of its own,
        nor have we one of somebody else's queue.
        """
        if queue == "bus":
            return "events"
        return _CATCH_ALL if queue in self.own_queues else self.physical(queue)

    def queue_name(self, physical: str) -> str:
        """`physical` is one of QUEUES."""
        return f"{self.stack}-{physical}"

    def dead_queue_name(self, physical: str) -> str:
        """Where the dead letters of this queue lie."""
        return f"{self.stack}-{physical}-dead"

    def queue_url(self, physical: str) -> str:
        """`physical` is one of QUEUES or of one's own."""
        return self.own_queues.get(physical) or self._queue_url(self.queue_name(physical))

    def dead_queue_url(self, physical: str) -> str:
        """`physical` is one of QUEUES: whoever owns a queue of their own owns its dead letters too."""
        return self._queue_url(self.dead_queue_name(physical))

    def queue_arn(self, physical: str) -> str:
        """`physical` is one of QUEUES or of one's own (then region and account are those of its URL)."""
        own = self.own_queues.get(physical)
        if own is None:
            return self._arn("sqs", self.queue_name(physical))
        host, account, name = own.rsplit("/", 2)
        at = re.search(r"//sqs\.([a-z0-9-]+)\.", host)
        return f"arn:{self.partition}:sqs:{at.group(1) if at else self.region}:{account}:{name}"

    def dead_queue_arn(self, physical: str) -> str:
        """The ARN of the dead-letter queue."""
        return self._arn("sqs", self.dead_queue_name(physical))

    # topics and events

    def topic_arn(self, topic: str) -> str:
        """`topic` as the pipeline file names it."""
        return self._arn("sns", f"{self.stack}-{topic}")

    @property
    def bus(self) -> str:
        """The EventBridge bus."""
        return self.stack

    @property
    def bus_arn(self) -> str:
        """The ARN of the EventBridge bus."""
        return self._arn("events", f"event-bus/{self.bus}")

    # intake

    @property
    def table(self) -> str:
        """The DynamoDB table of intake's idempotency keys."""
        return f"{self.stack}-idempotency"

    @property
    def bucket(self) -> str:
        """The S3 bucket of the snapshots. Names of buckets are shared by the whole world, so the account is in it."""
        return f"{self.stack}-snapshots-{self.account}"

    # state machines and functions

    def state_machine(self, pipeline_id: str) -> str:
        """The name of the state machine of this version of a pipeline ("standard-136dbf560656")."""
        return f"{self.stack}-{pipeline_id}"

    def state_machine_arn(self, pipeline_id: str) -> str:
        """The ARN of that state machine."""
        return self._arn("states", f"stateMachine:{self.state_machine(pipeline_id)}")

    def execution_arn(self, pipeline_id: str, name: str) -> str:
        """The ARN of an execution of that state machine."""
        return self._arn("states", f"execution:{self.state_machine(pipeline_id)}:{name}")

    def function_name(self, function: str) -> str:
        """`function` is one of FUNCTIONS."""
        return f"{self.stack}-{function}"

    def function_arn(self, function: str) -> str:
        """The ARN of that Lambda function."""
        return self._arn("lambda", f"function:{self.function_name(function)}")

    # secrets

    @property
    def database_secret(self) -> str:
        """The secret that holds the database's user and password."""
        return f"{self.stack}/database"

    @property
    def signing_secret(self) -> str:
        """The secret with which links and sessions are signed."""
        return f"{self.stack}/signing"

    def _queue_url(self, name: str) -> str:
        suffix = _SUFFIXES.get(self.partition, "amazonaws.com")
        return f"https://sqs.{self.region}.{suffix}/{self.account}/{name}"

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

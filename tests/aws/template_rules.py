"""What we ask of the template beyond what cfn-lint asks: each rule is a function from the template to its complaints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dealerflow.adapters.aws import names
from tests.aws.template import FUNCTION, PATH, Json, Template, many, target

SOURCE = PATH.parents[1] / "src"
DEFINITION = PATH.with_name("standard.asl.json")

# The statements that may say Resource '*', because AWS knows no resource for these actions, and no others.
# docs/explanation/security.md tells whoever reviews the stack the same.
WITHOUT_RESOURCE = {
    "Traces": {
        "xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
    },
    "NetworkInterfaces": {
        "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
    },
    "LogDelivery": {
        "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
    },
}  # fmt: skip
# ARNs that end openly, because there is one more of them with each version of the pipeline.
OPEN_ENDS = ("stateMachine:${AWS::StackName}-*", "execution:${AWS::StackName}-*:*")

FOURTEEN_DAYS = 14 * 24 * 3600
DELIVERIES = 1000
HTTP_API_SECONDS = 30
QUEUE, ALARM = "AWS::SQS::Queue", "AWS::CloudWatch::Alarm"

Complaints = Iterator[str]
Rule = Callable[[Template], Complaints]


def each_function_has_a_role_of_its_own(template: Template) -> Complaints:
    roles = template.of("AWS::IAM::Role")
    seen: dict[str, str] = {}
    for name, properties in template.properties(FUNCTION):
        role = target(properties.get("Role"))
        if role not in roles:
            yield f"{name} has no explicit role"
        elif role in seen:
            yield f"{name} shares its role with {seen[role]}"
        seen[role or ""] = name


def no_policy_says_everything(template: Template) -> Complaints:
    for name, statement in template.statements():
        if statement["Effect"] != "Allow":
            continue
        actions = many(statement["Action"])
        yield from (f"{name} allows {action}" for action in actions if "*" in action)
        for resource in many(statement["Resource"]):
            if resource == "*":
                allowed = WITHOUT_RESOURCE.get(statement.get("Sid", ""), set())
                yield from (f"{name} allows {action} on '*'" for action in actions if action not in allowed)
            elif "*" in str(resource) and not _ends_openly(resource):
                yield f"{name} allows {actions} on {resource}"


def _ends_openly(resource: Any) -> bool:
    return isinstance(resource, dict) and str(resource.get("Fn::Sub", "")).endswith(OPEN_ENDS)


def a_policy_on_a_resource_names_who_may_come_from_where(template: Template) -> Complaints:
    for name, statement in template.resource_statements():
        if statement["Effect"] == "Allow" and "aws:SourceArn" not in json.dumps(
            statement.get("Condition", {})
        ):
            yield f"{name} lets a service in from anybody's resources"
    for name, properties in template.properties("AWS::Lambda::Permission"):
        if "SourceArn" not in properties:
            yield f"{name} lets anybody's API call the function"


def each_queue_has_a_dead_letter_queue(template: Template) -> Complaints:
    queues = template.of(QUEUE)
    for name, properties in template.properties(QUEUE):
        if name.endswith("Dead"):
            continue
        redrive = properties.get("RedrivePolicy", {})
        if target(redrive.get("deadLetterTargetArn")) != f"{name}Dead" or f"{name}Dead" not in queues:
            yield f"{name} has no dead-letter queue"
            continue
        if redrive.get("maxReceiveCount") != DELIVERIES:
            yield f"{name} would give up in an outage"
        allowed = queues[f"{name}Dead"]["Properties"].get("RedriveAllowPolicy", {})
        if allowed.get("redrivePermission") != "byQueue":
            yield f"{name}Dead may be anybody's dead-letter queue"


def each_queue_keeps_its_messages_for_fourteen_days(template: Template) -> Complaints:
    for name, properties in template.properties(QUEUE):
        if properties.get("MessageRetentionPeriod") != FOURTEEN_DAYS:
            yield f"{name} forgets sooner"


def a_message_stays_hidden_six_times_as_long_as_its_function_may_run(template: Template) -> Complaints:
    queues = template.of(QUEUE)
    for name, event in _event_sources(template):
        queue = target(event["Queue"]) or ""
        timeout = template.resources[name]["Properties"]["Timeout"]
        if queues[queue]["Properties"].get("VisibilityTimeout", 30) < 6 * timeout:
            yield f"{queue} offers a message again while {name} may still work it"


def each_event_source_reports_single_failures(template: Template) -> Complaints:
    for name, event in _event_sources(template):
        if event.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} fails a batch as a whole"


def _event_sources(template: Template) -> Iterator[tuple[str, Json]]:
    for name, properties in template.properties(FUNCTION):
        yield from ((name, event["Properties"]) for event in properties.get("Events", {}).values())


def each_queue_is_worked(template: Template) -> Complaints:
    worked = {target(event["Queue"]) for _, event in _event_sources(template)}
    yield from (
        f"nobody works {name}"
        for name in template.of(QUEUE)
        if not name.endswith("Dead") and name not in worked
    )


def each_queue_has_its_alarms(template: Template) -> Complaints:
    watched = {
        (metric["MetricName"], target(metric["Dimensions"][0]["Value"]))
        for _, properties in template.properties(ALARM)
        for metric in metrics_of(properties)
    }
    for name in template.of(QUEUE):
        metric = (
            "ApproximateNumberOfMessagesVisible" if name.endswith("Dead") else "ApproximateAgeOfOldestMessage"
        )
        if (metric, name) not in watched:
            yield f"no alarm watches {name}"


def metrics_of(alarm: Json) -> list[Json]:
    """What an alarm looks at: the one metric, or all that its expression is made of. (Each is paid for.)"""
    asked = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", ()) if "MetricStat" in each]
    return asked or [alarm]


def an_outage_is_an_alarm_too(template: Template) -> Complaints:
    """SQS leaves out of a queue's age what was received three times and not deleted, and an outage offers all again at once.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    for name, properties in template.properties(ALARM):
        asked = {metric["MetricName"] for metric in metrics_of(properties)}
        if "ApproximateAgeOfOldestMessage" in asked and "NumberOfMessagesDeleted" not in asked:
            yield f"{name} sees nothing of an outage"


def no_alarm_rests_on_what_was_filled_in(template: Template) -> Complaints:
    """What is filled in for a minute whose figures come late is always the newest figure, and the alarm stays as it is.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html (FILL)
    """
    for name, properties in template.properties(ALARM):
        if "FILL(" in json.dumps(properties.get("Metrics", "")):
            yield f"{name} is stuck"


def every_alarm_looks_back_no_further_than_it_may(template: Template) -> Complaints:
    """A day, or with periods of an hour and more a week.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    for queue, late in template.data["Mappings"]["Late"].items():
        seconds = late["Period"] * late["Periods"]
        if seconds > (24 if late["Period"] < 3600 else 7 * 24) * 3600:
            yield f"{queue}LateAlarm looks back too far"
        if seconds != late["Seconds"]:
            yield f"{queue}LateAlarm calls late what is {seconds} s old, and what is {late['Seconds']} s old"


def each_alarm_tells_somebody(template: Template) -> Complaints:
    for name, properties in template.properties(ALARM):
        if "AlarmTopic" not in json.dumps(properties.get("AlarmActions", "")):
            yield f"{name} tells nobody"


def cloudwatch_can_write_to_the_alarms_topic(template: Template) -> Complaints:
    """https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns"""
    asked = {"kms:Decrypt", "kms:GenerateDataKey*"}
    for name, properties in template.properties("AWS::KMS::Key"):
        for statement in properties["KeyPolicy"]["Statement"]:
            if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}:
                if "Condition" not in statement:
                    asked -= set(many(statement["Action"]))
                else:
                    yield f"{name} asks CloudWatch for what it may not bring"
    if asked:
        yield f"AlarmKey keeps CloudWatch from {sorted(asked)}"


def what_a_timer_rule_or_topic_cannot_deliver_is_kept(template: Template) -> Complaints:
    for name, properties in template.properties("AWS::Scheduler::Schedule"):
        yield from _explicit(name, properties["Target"])
    for name, properties in template.properties("AWS::Events::Rule"):
        for each in properties["Targets"]:
            yield from _explicit(name, each)
    for name, properties in template.properties("AWS::SNS::Subscription"):
        if "RedrivePolicy" not in properties:
            yield f"{name} drops what it cannot deliver"


def _explicit(name: str, called: Json) -> Complaints:
    if not {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} <= set(called.get("RetryPolicy", {})):
        yield f"{name} tries again as often as AWS likes"
    if "Arn" not in called.get("DeadLetterConfig", {}):
        yield f"{name} drops what it cannot deliver"


def what_is_called_asynchronously_has_a_place_for_failures(template: Template) -> Complaints:
    scheduled = {target(each["Target"]["Arn"]) for _, each in template.properties("AWS::Scheduler::Schedule")}
    for name, properties in template.properties(FUNCTION):
        failure = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure")
        if name in scheduled and not failure:
            yield f"{name} drops a call that failed"


def everything_is_encrypted(template: Template) -> Complaints:
    asked: dict[str, Callable[[Json], Any]] = {
        QUEUE: lambda given: given.get("SqsManagedSseEnabled") is True,
        "AWS::SNS::Topic": lambda given: given.get("KmsMasterKeyId"),
        "AWS::DynamoDB::Table": lambda given: given.get("SSESpecification", {}).get("SSEEnabled") is True,
        "AWS::S3::Bucket": lambda given: given.get("BucketEncryption"),
        "AWS::RDS::DBInstance": lambda given: given.get("StorageEncrypted") is True,
        "AWS::RDS::DBProxy": lambda given: given.get("RequireTLS") is True,
        "AWS::RDS::DBParameterGroup": lambda given: given["Parameters"].get("rds.force_ssl") == "1",
    }
    for kind, is_encrypted in asked.items():
        found = template.of(kind)
        if not found:
            yield f"there is no {kind}"
        yield from (
            f"{name} is not encrypted" for name, each in found.items() if not is_encrypted(each["Properties"])
        )


def the_bucket_is_private_and_takes_tls_only(template: Template) -> Complaints:
    for name, properties in template.properties("AWS::S3::Bucket"):
        block = properties.get("PublicAccessBlockConfiguration", {})
        if len(block) != 4 or not all(block.values()):
            yield f"{name} may be made public"
        if not any(
            statement["Effect"] == "Deny"
            and statement.get("Condition") == {"Bool": {"aws:SecureTransport": False}}
            and {"Fn::GetAtt": [name, "Arn"]} in many(statement["Resource"])
            for _, statement in template.resource_statements()
        ):
            yield f"{name} may be read without TLS"


def the_database_is_private_backed_up_and_not_lost_with_the_stack(template: Template) -> Complaints:
    for name, resource in template.of("AWS::RDS::DBInstance").items():
        properties = resource["Properties"]
        if properties.get("PubliclyAccessible") is not False:
            yield f"{name} has a public address"
        if not properties.get("BackupRetentionPeriod") or resource.get("DeletionPolicy") != "Snapshot":
            yield f"{name} has no backup"


def every_log_ends_and_every_function_writes_to_one(template: Template) -> Complaints:
    groups = template.of("AWS::Logs::LogGroup")
    yield from (
        f"{name} grows for ever"
        for name, each in groups.items()
        if "RetentionInDays" not in each["Properties"]
    )
    for name, properties in template.properties(FUNCTION):
        if target(properties.get("LoggingConfig", {}).get("LogGroup")) not in groups:
            yield f"{name} writes to a log that grows for ever"
    for name, properties in template.properties("AWS::ApiGatewayV2::Stage"):
        if target(properties.get("AccessLogSettings", {}).get("DestinationArn")) not in groups:
            yield f"{name} keeps no access log"
    for name, properties in template.properties("AWS::Serverless::StateMachine"):
        if properties.get("Logging", {}).get("Level") not in {"ERROR", "ALL"}:
            yield f"{name} does not log its errors"


def lambda_keeps_every_line_that_the_program_writes(template: Template) -> Complaints:
    """What is too much detail the program leaves out itself; Lambda would leave out all below INFO again, whatever LogLevel is.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    for name, properties in template.properties(FUNCTION):
        if properties.get("LoggingConfig", {}).get("ApplicationLogLevel") not in {"DEBUG", "TRACE"}:
            yield f"{name} never logs at debug"


def whoever_asks_over_http_gets_the_answer(template: Template) -> Complaints:
    """An HTTP API waits for half a minute: a function that goes on longer takes an order whose customer was told 503.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
    """
    for _, properties in template.properties("AWS::ApiGatewayV2::Integration"):
        name = target(properties["IntegrationUri"]) or ""
        if template.resources[name]["Properties"]["Timeout"] >= HTTP_API_SECONDS:
            yield f"{name} may answer when nobody listens any more"


def a_first_deployment_that_fails_leaves_no_name_taken(template: Template) -> Complaints:
    """A secret that outlives the stack has its name, so that the second try could not make it."""
    for name, secret in template.of("AWS::SecretsManager::Secret").items():
        if (
            secret.get("DeletionPolicy") != "RetainExceptOnCreate"
            or secret.get("UpdateReplacePolicy") != "Retain"
        ):
            yield f"{name} is in the way, or lost with the stack"


def everything_is_traced(template: Template) -> Complaints:
    for name, properties in template.properties(FUNCTION):
        if properties.get("Tracing") != "Active":
            yield f"{name} is not traced"
    for name, properties in template.properties("AWS::Serverless::StateMachine"):
        if properties.get("Tracing") != {"Enabled": True}:
            yield f"{name} is not traced"


def every_handler_is_there(template: Template) -> Complaints:
    for name, properties in template.properties(FUNCTION):
        module, _, function = properties["Handler"].rpartition(".")
        if function != "handler" or not (SOURCE / Path(*module.split("."))).with_suffix(".py").is_file():
            yield f"{name} has no {properties['Handler']}"


def the_state_machine_is_called_after_its_pipeline(template: Template) -> Complaints:
    pipeline = json.loads(DEFINITION.read_text())["Comment"].rpartition(" ")[2]
    for name, resource in template.of("AWS::Serverless::StateMachine").items():
        if resource["Properties"]["Name"] != {"Fn::Sub": f"${{AWS::StackName}}-{pipeline}"}:
            yield f"{name} is not called after {pipeline}"
        if {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")} != {"Retain"}:
            yield f"{name} would take its orders with it"


def everything_is_called_as_the_program_expects(template: Template) -> Complaints:
    here = {  # for the placeholders, which Sub fills in
        kind: {_name(properties[key]) for _, properties in template.properties(kind)}
        for kind, key in {
            QUEUE: "QueueName", FUNCTION: "FunctionName", "AWS::SNS::Topic": "TopicName", "AWS::Events::EventBus": "Name",
            "AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName", "AWS::SecretsManager::Secret": "Name",
        }.items()
    }  # fmt: skip
    program = names.Names(stack="stack", region="region", account="account")
    expected = {
        QUEUE: {f(each) for each in names.QUEUES for f in (program.queue_name, program.dead_queue_name)},
        FUNCTION: {program.function_name(each) for each in names.FUNCTIONS},
        "AWS::SNS::Topic": {f"stack-{each}" for each in names.TOPICS},
        "AWS::Events::EventBus": {program.bus},
        "AWS::DynamoDB::Table": {program.table},
        "AWS::S3::Bucket": {program.bucket},
        "AWS::SecretsManager::Secret": {program.database_secret, program.signing_secret},
    }
    # The timers' dead letters and the alarms are no matter of the program.
    ours = {"stack-schedules-dead", "stack-alarms"}
    for kind, wanted in expected.items():
        if wanted != here[kind] - ours:
            yield f"{kind}: the program expects {sorted(wanted)}, the template has {sorted(here[kind] - ours)}"


def _name(value: Any) -> str:
    text = str(value.get("Fn::Sub") or f"${{{value['Ref']}}}")
    return text.replace("${AWS::StackName}", "stack").replace("${AWS::AccountId}", "account")


RULES: list[Rule] = [
    each_function_has_a_role_of_its_own,
    no_policy_says_everything,
    a_policy_on_a_resource_names_who_may_come_from_where,
    each_queue_has_a_dead_letter_queue,
    each_queue_keeps_its_messages_for_fourteen_days,
    a_message_stays_hidden_six_times_as_long_as_its_function_may_run,
    each_event_source_reports_single_failures,
    each_queue_is_worked,
    each_queue_has_its_alarms,
    an_outage_is_an_alarm_too,
    no_alarm_rests_on_what_was_filled_in,
    every_alarm_looks_back_no_further_than_it_may,
    each_alarm_tells_somebody,
    cloudwatch_can_write_to_the_alarms_topic,
    what_a_timer_rule_or_topic_cannot_deliver_is_kept,
    what_is_called_asynchronously_has_a_place_for_failures,
    everything_is_encrypted,
    the_bucket_is_private_and_takes_tls_only,
    the_database_is_private_backed_up_and_not_lost_with_the_stack,
    every_log_ends_and_every_function_writes_to_one,
    lambda_keeps_every_line_that_the_program_writes,
    whoever_asks_over_http_gets_the_answer,
    a_first_deployment_that_fails_leaves_no_name_taken,
    everything_is_traced,
    every_handler_is_there,
    the_state_machine_is_called_after_its_pipeline,
    everything_is_called_as_the_program_expects,
]

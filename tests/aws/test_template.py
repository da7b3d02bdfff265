"""The template: what AWS's own checkers say of it, and what we ask of it besides."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.aws import template_rules as rules
from tests.aws.template import PATH, Json, Template, load
from tests.aws.template_rules import RULES, Rule

TOOLS = Path(__file__).parents[2] / ".venv-aws" / "bin"


def checked(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    assert (TOOLS / command[0]).exists(), "the tools for AWS are missing: run scripts/install aws"
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    return subprocess.run(
        [TOOLS / command[0], *command[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


CFN_LINT = ("cfn-lint", "template.yaml")
SAM_VALIDATE = ("sam", "validate", "--lint", "--language-extensions", "--template", "template.yaml")


@pytest.mark.parametrize("command", [CFN_LINT, SAM_VALIDATE], ids=lambda command: command[0])
def test_the_checkers_of_aws_have_nothing_to_say(command: tuple[str, ...]) -> None:
    done = checked(*command, folder=PATH.parent)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [CFN_LINT, SAM_VALIDATE], ids=lambda command: command[0])
def test_the_checkers_of_aws_find_a_property_that_does_not_exist(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    for path in PATH.parent.glob("*.*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    broken = PATH.read_text().replace("VisibilityTimeout:", "VisibleTimeout:")
    (tmp_path / "template.yaml").write_text(broken)
    done = checked(*command, folder=tmp_path)
    assert done.returncode != 0
    assert "VisibleTimeout" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def template() -> Template:
    return load()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule: Rule, template: Template) -> None:
    assert list(rule(template)) == []


def of(template: Template, name: str) -> Json:
    found: Json = template.resources[name]["Properties"]
    return found


def without(*path: str) -> Callable[[Template], None]:
    """Takes a property (resource, then key by key) out."""

    def break_(template: Template) -> None:
        place = of(template, path[0])
        for key in path[1:-1]:
            place = place[key]
        del place[path[-1]]

    return break_


def with_(*path: str, value: Any) -> Callable[[Template], None]:
    """Sets a property."""

    def break_(template: Template) -> None:
        place = of(template, path[0])
        for key in path[1:-1]:
            place = place[key]
        place[path[-1]] = value

    return break_


def allowing(**statement: Any) -> Callable[[Template], None]:
    """Adds a statement to a role."""

    def break_(template: Template) -> None:
        [policy] = of(template, "OrdersRole")["Policies"]
        policy["PolicyDocument"]["Statement"].append({"Effect": "Allow", **statement})

    return break_


def asking_cloudwatch_for_its_account(template: Template) -> None:
    [_, alarms] = of(template, "AlarmKey")["KeyPolicy"]["Statement"]
    alarms["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def gone(name: str) -> Callable[[Template], None]:
    """Takes a resource out."""

    def break_(template: Template) -> None:
        del template.resources[name]

    return break_


def unprotected(name: str, key: str) -> Callable[[Template], None]:
    """Takes an attribute of a resource out: DeletionPolicy and the like."""

    def break_(template: Template) -> None:
        del template.resources[name][key]

    return break_


def without_metric(alarm: str, name: str) -> Callable[[Template], None]:
    """Takes a metric out of what an alarm reckons with."""

    def break_(template: Template) -> None:
        properties = of(template, alarm)
        properties["Metrics"] = [
            each
            for each in properties["Metrics"]
            if each.get("MetricStat", {}).get("Metric", {}).get("MetricName") != name
        ]

    return break_


def late(queue: str, **figures: int) -> Callable[[Template], None]:
    """Sets when messages of a queue are late."""

    def break_(template: Template) -> None:
        template.data["Mappings"]["Late"][queue] = figures

    return break_


OPEN = {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:*"}
FAILURES = [
    (rules.each_function_has_a_role_of_its_own, without("OrdersFunction", "Role"), "OrdersFunction"),
    (rules.each_function_has_a_role_of_its_own,
     with_("RelayFunction", "Role", value={"Fn::GetAtt": ["AuditRole", "Arn"]}), "AuditFunction"),
    (rules.no_policy_says_everything, allowing(Action="sqs:*", Resource={"Ref": "orders"}), "OrdersRole"),
    (rules.no_policy_says_everything, allowing(Action="sqs:SendMessage", Resource="*"), "OrdersRole"),
    (rules.no_policy_says_everything, allowing(Sid="Traces", Action="s3:GetObject", Resource="*"), "OrdersRole"),
    (rules.no_policy_says_everything, allowing(Action="sqs:SendMessage", Resource=OPEN), "OrdersRole"),
    (rules.a_policy_on_a_resource_names_who_may_come_from_where, without("IntakePermission", "SourceArn"),
     "IntakePermission"),
    (rules.each_queue_has_a_dead_letter_queue, without("payments", "RedrivePolicy"), "payments"),
    (rules.each_queue_has_a_dead_letter_queue, with_("payments", "RedrivePolicy", "maxReceiveCount", value=5),
     "payments"),
    (rules.each_queue_has_a_dead_letter_queue, without("paymentsDead", "RedriveAllowPolicy"), "paymentsDead"),
    (rules.each_queue_keeps_its_messages_for_fourteen_days, without("ordersDead", "MessageRetentionPeriod"),
     "ordersDead"),
    (rules.a_message_stays_hidden_six_times_as_long_as_its_function_may_run,
     with_("OrdersFunction", "Timeout", value=61), "orders"),
    (rules.each_event_source_reports_single_failures,
     without("OrdersFunction", "Events", "Queue", "Properties", "FunctionResponseTypes"), "OrdersFunction"),
    (rules.each_queue_is_worked, without("OrdersFunction", "Events"), "orders"),
    (rules.each_queue_has_its_alarms, gone("ordersLateAlarm"), "orders"),
    (rules.each_queue_has_its_alarms, gone("ordersDeadAlarm"), "ordersDead"),
    (rules.each_queue_has_its_alarms, gone("SchedulesDeadAlarm"), "schedulesDead"),
    (rules.an_outage_is_an_alarm_too, without_metric("ordersLateAlarm", "NumberOfMessagesDeleted"), "ordersLateAlarm"),
    (rules.no_alarm_rests_on_what_was_filled_in,
     with_("ordersLateAlarm", "Metrics", value=[{"Id": "late", "Expression": "FILL(age, 0)"}]), "ordersLateAlarm"),
    (rules.every_alarm_looks_back_no_further_than_it_may, late("webhooks", Seconds=345600, Period=60, Periods=5760),
     "webhooksLateAlarm"),
    (rules.every_alarm_looks_back_no_further_than_it_may, late("orders", Seconds=600, Period=60, Periods=5),
     "ordersLateAlarm"),
    (rules.each_alarm_tells_somebody, without("ApiAlarm", "AlarmActions"), "ApiAlarm"),
    (rules.cloudwatch_can_write_to_the_alarms_topic, gone("AlarmKey"), "AlarmKey"),
    (rules.cloudwatch_can_write_to_the_alarms_topic, asking_cloudwatch_for_its_account, "AlarmKey"),
    (rules.what_a_timer_rule_or_topic_cannot_deliver_is_kept, without("AuditSchedule", "Target", "RetryPolicy"),
     "AuditSchedule"),
    (rules.what_a_timer_rule_or_topic_cannot_deliver_is_kept,
     without("AuditSchedule", "Target", "DeadLetterConfig"), "AuditSchedule"),
    (rules.what_a_timer_rule_or_topic_cannot_deliver_is_kept, without("NotificationsToQueue", "RedrivePolicy"),
     "NotificationsToQueue"),
    (rules.what_is_called_asynchronously_has_a_place_for_failures, without("RelayFunction", "EventInvokeConfig"),
     "RelayFunction"),
    (rules.everything_is_encrypted, without("orders", "SqsManagedSseEnabled"), "orders"),
    (rules.everything_is_encrypted, without("AlarmTopic", "KmsMasterKeyId"), "AlarmTopic"),
    (rules.everything_is_encrypted, without("IdempotencyKeys", "SSESpecification"), "IdempotencyKeys"),
    (rules.everything_is_encrypted, without("Snapshots", "BucketEncryption"), "Snapshots"),
    (rules.everything_is_encrypted, without("Database", "StorageEncrypted"), "Database"),
    (rules.everything_is_encrypted, with_("DatabaseProxy", "RequireTLS", value=False), "DatabaseProxy"),
    (rules.everything_is_encrypted, without("DatabaseParameters", "Parameters", "rds.force_ssl"),
     "DatabaseParameters"),
    (rules.everything_is_encrypted, gone("Database"), "AWS::RDS::DBInstance"),
    (rules.the_bucket_is_private_and_takes_tls_only, gone("SnapshotsPolicy"), "Snapshots"),
    (rules.the_bucket_is_private_and_takes_tls_only, without("Snapshots", "PublicAccessBlockConfiguration"),
     "Snapshots"),
    (rules.the_database_is_private_backed_up_and_not_lost_with_the_stack,
     with_("Database", "PubliclyAccessible", value=True), "Database"),
    (rules.the_database_is_private_backed_up_and_not_lost_with_the_stack,
     unprotected("Database", "DeletionPolicy"), "Database"),
    (rules.every_log_ends_and_every_function_writes_to_one, without("FunctionLogs", "RetentionInDays"),
     "FunctionLogs"),
    (rules.every_log_ends_and_every_function_writes_to_one, without("WebFunction", "LoggingConfig"), "WebFunction"),
    (rules.every_log_ends_and_every_function_writes_to_one, without("ApiStage", "AccessLogSettings"), "ApiStage"),
    (rules.every_log_ends_and_every_function_writes_to_one, without("StateMachine", "Logging"), "StateMachine"),
    (rules.lambda_keeps_every_line_that_the_program_writes,
     with_("WebFunction", "LoggingConfig", "ApplicationLogLevel", value="INFO"), "WebFunction"),
    (rules.whoever_asks_over_http_gets_the_answer, with_("IntakeFunction", "Timeout", value=60), "IntakeFunction"),
    (rules.a_first_deployment_that_fails_leaves_no_name_taken, unprotected("DatabaseSecret", "DeletionPolicy"),
     "DatabaseSecret"),
    (rules.everything_is_traced, without("WebFunction", "Tracing"), "WebFunction"),
    (rules.everything_is_traced, without("StateMachine", "Tracing"), "StateMachine"),
    (rules.every_handler_is_there, with_("WebFunction", "Handler", value="dealerflow.lambdas.wep.handler"),
     "WebFunction"),
    (rules.the_state_machine_is_called_after_its_pipeline,
     with_("StateMachine", "Name", value={"Fn::Sub": "${AWS::StackName}-standard-000000000000"}), "StateMachine"),
    (rules.the_state_machine_is_called_after_its_pipeline, unprotected("StateMachine", "UpdateReplacePolicy"),
     "StateMachine"),
    (rules.everything_is_called_as_the_program_expects,
     with_("payments", "QueueName", value={"Fn::Sub": "${AWS::StackName}-payment"}), "AWS::SQS::Queue"),
    (rules.everything_is_called_as_the_program_expects, gone("QualityAlertsTopic"), "AWS::SNS::Topic"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "break_", "named"), FAILURES, ids=lambda each: getattr(each, "__name__", "")
)
def test_the_rule_finds_what_breaks_it(
    rule: Rule, break_: Callable[[Template], None], named: str, template: Template
) -> None:
    broken = template.copy()
    break_(broken)
    complaints = list(rule(broken))
    assert complaints
    assert all(
        complaint.startswith((named, "no alarm watches", "nobody works", "there is no"))
        for complaint in complaints
    )
    assert any(named in complaint for complaint in complaints)


def test_every_rule_is_broken_by_something() -> None:
    assert {rule for rule, _, _ in FAILURES} == set(RULES)


def test_the_documents_tell_what_is_allowed_without_a_resource() -> None:
    told = (PATH.parents[1] / "docs" / "explanation" / "security.md").read_text()
    for statement, actions in rules.WITHOUT_RESOURCE.items():
        [line] = [line for line in told.splitlines() if line.startswith(f"| `{statement}` |")]
        assert set(re.findall(r"`([a-z0-9]+:[A-Z]\w+)`", line)) - {"lambda:SourceFunctionArn"} == actions


def test_the_dashboard_is_json_once_its_names_are_filled_in(template: Template) -> None:
    [text, _] = of(template, "Dashboard")["DashboardBody"]["Fn::Sub"]
    assert len(json.loads(text)["widgets"]) >= 8


def test_what_the_dashboard_searches_by_the_beginning_of_its_name_is_not_in_quotes(
    template: Template,
) -> None:
    """In quotes a search finds what is called exactly so, without them whatever has these words in its name.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
    """
    [text, _] = of(template, "Dashboard")["DashboardBody"]["Fn::Sub"]
    searches = re.findall(r"SEARCH\('(.*?)'", json.dumps(json.loads(text)).replace(r"\"", '"'))
    assert len(searches) >= 5
    exact = [
        term for search in searches for term in re.findall(r'(?:QueueName|FunctionName)="[^"]*"', search)
    ]
    assert exact == []

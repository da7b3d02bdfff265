"""Every alarm of the template has a runbook, and every runbook its alarm."""

from __future__ import annotations

import re
from typing import Any

from dealerflow.composition.aws_cost import committed_calls
from tests.aws.template import load
from tests.aws.template_rules import metrics_of
from tests.docs.documents import DOCS, ROOT

RUNBOOKS = DOCS / "how-to" / "runbooks.md"


def text_of(value: Any) -> str:
    """A text, or what a !Sub makes of one."""
    return value if isinstance(value, str) else str(value["Fn::Sub"])


def alarms() -> dict[str, str]:
    """name without the stack's -> description."""
    return {
        text_of(properties["AlarmName"]).removeprefix("${AWS::StackName}-"): text_of(
            properties["AlarmDescription"]
        )
        for _, properties in load().properties("AWS::CloudWatch::Alarm")
    }


def runbooks() -> list[str]:
    return re.findall(r"^### (.+)$", RUNBOOKS.read_text("utf-8"), re.MULTILINE)


def test_every_alarm_has_its_runbook_and_every_runbook_its_alarm() -> None:
    assert sorted(runbooks()) == sorted(alarms())
    assert len(alarms()) > 20


def test_an_alarm_says_where_its_runbook_is() -> None:
    path = RUNBOOKS.relative_to(ROOT).as_posix()
    assert {name for name, description in alarms().items() if path not in description} == set()


def test_the_bill_counts_what_the_alarms_look_at() -> None:
    (counted,) = (use.count for use in committed_calls().month if use.price == "cloudwatch.alarm")
    assert counted == sum(
        len(metrics_of(properties)) for _, properties in load().properties("AWS::CloudWatch::Alarm")
    )

"""The command line against an installation on AWS: an emulator with its queues and its function `web`, and a real database."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.machines import StepFunctions
from dealerflow.adapters.aws.names import QUEUES, Names
from dealerflow.application import queues
from dealerflow.application.access import read_token
from dealerflow.application.executions import Beginning
from dealerflow.application.message_events import to_cloud_event
from dealerflow.cli.main import app
from dealerflow.composition.aws import AwsSystem
from dealerflow.composition.aws_console import reached
from dealerflow.composition.aws_upkeep import Prepare, prepare
from dealerflow.composition.settings import settings_of
from dealerflow.domain.errors import Invalid
from dealerflow.domain.messages import IssueInvoice
from dealerflow.pipeline.loader import load, standard
from tests.aws.test_dead_letters import ORDER
from tests.ministack import ACCOUNT, REGION, MiniStack

NAMES = Names(stack="shop", region=REGION, account=ACCOUNT)
SECRET = "s" * 40


def zipped() -> bytes:
    """A function that nobody calls."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("it.py", "def handler(event, context):\n    return None\n")
    return packed.getvalue()


class Stack:
    """As much of a deployed stack as the command line needs."""

    def __init__(self, postgres_url: str) -> None:
        self.clients = Clients(REGION)
        for queue in QUEUES:
            self.clients.sqs.create_queue(QueueName=NAMES.queue_name(queue))
            self.clients.sqs.create_queue(QueueName=NAMES.dead_queue_name(queue))
        self.clients.sns.create_topic(Name="shop-notifications")
        self.clients.events.create_event_bus(Name=NAMES.bus)
        self.clients.s3.create_bucket(Bucket=NAMES.bucket)
        self.makes("web", DEALERFLOW_STACK="shop", DEALERFLOW_ACCOUNT=ACCOUNT, DEALERFLOW_SECRET_KEY=SECRET,
                   DEALERFLOW_DATABASE_HOST="database.inside", DEALERFLOW_PUBLIC_URL="https://shop.example")  # fmt: skip
        self.database_url = postgres_url

    def makes(self, function: str, **environment: str) -> None:
        self.clients.functions.create_function(
            FunctionName=NAMES.function_name(function),
            Runtime="python3.11",
            Role=f"arn:aws:iam::{ACCOUNT}:role/any",
            Handler="it.handler",
            Code={"ZipFile": zipped()},
            Environment={"Variables": environment},
        )

    def follows(self, pipeline: str) -> None:
        """As the template says it to the function `web`."""
        name = NAMES.function_name("web")
        known = self.clients.functions.get_function_configuration(FunctionName=name)["Environment"][
            "Variables"
        ]
        machine = {"DEALERFLOW_STATE_MACHINE": NAMES.state_machine(pipeline)}
        self.clients.functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**known, **machine}}
        )

    def system(self) -> AwsSystem:
        return reached(Path("nowhere"), os.environ, "shop")

    def run(self, *arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(app, list(arguments), input=typed)

    def says(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.says(*arguments, "--json"))

    def refuses(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
        return result.stderr

    def figures(self, queue: str) -> dict[str, Any]:
        [found] = [one for one in self.json("queues", "list") if one["name"] == queue]
        return dict(found)


@pytest.fixture
def unprepared(aws: MiniStack, postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stack:
    assert aws.url
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEALERFLOW_STACK", "shop")
    monkeypatch.setenv("DEALERFLOW_DATABASE_URL", postgres_url)
    return Stack(postgres_url)


@pytest.fixture
def stack(unprepared: Stack) -> Stack:
    settings = settings_of(
        Path("nowhere"),
        {},
        database_url=unprepared.database_url,
        stack="shop",
        account=ACCOUNT,
        secret_key=SECRET,
    )
    system = AwsSystem(settings, unprepared.clients, region=REGION)
    prepare(system, Prepare(admin="admin@shop.example"))
    system.close()
    return unprepared


# --- the first administrator -----------------------------------------------------------------------------


def test_who_lost_the_first_password_is_told_how_to_set_another_and_can(stack: Stack) -> None:
    system = stack.system()
    with pytest.raises(Invalid, match="dealerflow accounts password EMAIL"):
        prepare(system, Prepare(admin="admin@shop.example"))
    system.close()
    changed = stack.run("accounts", "password", "admin@shop.example", typed="another good password\n")
    assert changed.exit_code == 0, changed.output


# --- queues ----------------------------------------------------------------------------------------------


def test_every_queue_has_figures_and_orders_count_what_sqs_holds(stack: Stack) -> None:
    url = NAMES.queue_url("orders")
    for _ in range(3):
        stack.clients.sqs.send_message(QueueUrl=url, MessageBody=to_cloud_event(ORDER).decode())
    stack.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=600)
    assert {"bus", "decisions", "executions", "notifications", "orders"} <= {
        one["name"] for one in stack.json("queues", "list")
    }
    orders = stack.figures("orders")
    assert (orders["waiting"], orders["in_flight"]) == (2, 1)


def test_an_order_that_failed_once_is_not_counted_twice(stack: Stack) -> None:
    url = NAMES.queue_url("orders")
    stack.clients.sqs.send_message(QueueUrl=url, MessageBody=to_cloud_event(ORDER).decode())
    system = stack.system()
    system.outbox.failed(ORDER, now=system.clock.now(), error="no")
    system.close()
    orders = stack.figures("orders")
    assert (orders["waiting"], orders["in_flight"], orders["dead"]) == (1, 0, 0)


def mapping_of(stack: Stack, function: str) -> str:
    stack.makes(function)
    made = stack.clients.functions.create_event_source_mapping(
        FunctionName=NAMES.function_name(function), EventSourceArn=NAMES.queue_arn(function)
    )
    return str(made["UUID"])


def test_a_pause_switches_off_the_reading_of_its_function_and_of_no_other(stack: Stack) -> None:
    invoices, payments = mapping_of(stack, "invoices"), mapping_of(stack, "payments")

    def state(mapping: str) -> str:
        return str(stack.clients.functions.get_event_source_mapping(UUID=mapping)["State"])

    stack.says("queues", "pause", "invoices")
    assert stack.figures("invoices")["paused"]
    assert (state(invoices), state(payments)) == ("Disabled", "Enabled")
    stack.says("queues", "resume", "invoices")
    assert not stack.figures("invoices")["paused"]
    assert state(invoices) == "Enabled"


def test_a_queue_that_shares_one_on_aws_is_paused_by_its_flag_alone(stack: Stack) -> None:
    deliveries = mapping_of(stack, "deliveries")
    system = stack.system()
    system.store.declare(["deliveries-north"])
    system.close()
    stack.says("queues", "pause", "deliveries-north")
    assert stack.figures("deliveries-north")["paused"]
    found = stack.clients.functions.get_event_source_mapping(UUID=deliveries)
    assert found["State"] == "Enabled"


def test_dead_letters_are_shown_redriven_and_discarded(stack: Stack) -> None:
    system = stack.system()
    with system.database.begin() as work:
        work.send(queues.INVOICES, IssueInvoice(payment="pay_1"))
        work.send(queues.INVOICES, IssueInvoice(payment="pay_2"))
    ids = [envelope.id for envelope in work.prompt]
    for id_ in ids:
        system.outbox.bury(id_, now=system.clock.now(), error="no such payment")
    system.close()
    shown = stack.json("queues", "dead", "invoices")
    assert [(one["id"], one["type"], one["error"]) for one in shown] == [
        (id_, "IssueInvoice", "no such payment") for id_ in ids
    ]
    assert stack.says("queues", "redrive", "invoices", ids[0]) == "1 messages\n"
    assert stack.says("queues", "discard", "invoices", ids[1], "--reason", "a trial") == "1 messages\n"
    assert (stack.figures("invoices")["waiting"], stack.figures("invoices")["dead"]) == (1, 0)


# --- the other commands ------------------------------------------------------------------------------------


def test_a_token_is_signed_with_the_secret_of_the_stack(stack: Stack) -> None:
    token = stack.says("token", "admin@shop.example").strip()
    assert read_token(token, SECRET) is not None


def test_commands_that_look_and_change_work_as_on_one_machine(stack: Stack) -> None:
    assert [one["email"] for one in stack.json("accounts", "list")] == ["admin@shop.example"]
    assert stack.json("orders", "list") == []
    assert stack.json("mail", "list") == []
    assert "standard-" in stack.says("pipeline", "list")
    report = stack.json("audit")
    assert report["clean"]
    assert report["faults"] == []


def test_an_execution_is_known_to_run_or_to_have_ended(stack: Stack) -> None:
    definition = {"StartAt": "Waits", "States": {"Waits": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    stack.clients.step_functions.create_state_machine(
        name=NAMES.state_machine("standard-1"),
        definition=json.dumps(definition),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
    )
    machines = StepFunctions(stack.clients.step_functions, NAMES)
    beginning = Beginning(
        name="ord_1-stp_1-0", pipeline="standard-1", order="ord_1", step="stp_1", state="order_placed",
        restarts=0, replaces=None,
    )  # fmt: skip
    execution = machines.start(beginning)
    assert machines.ended(execution) is None
    machines.stop(execution, "a trial")
    assert machines.ended(execution) == "ABORTED"
    assert machines.ended(execution + "-other") == "not known any more"


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("serve",), ("work",), ("backup", "copy"), ("restore", "copy")])
def test_what_belongs_to_one_machine_is_refused(unprepared: Stack, command: tuple[str, ...]) -> None:
    assert "installation on AWS (shop)" in unprepared.refuses(*command)


def test_a_stack_that_is_not_there_is_named(unprepared: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALERFLOW_STACK", "shoq")
    assert f"no Dealerflow called shoq in {REGION}" in unprepared.refuses("queues")


def test_a_database_that_was_not_prepared_is_named(unprepared: Stack) -> None:
    assert "at revision none" in unprepared.refuses("queues")


def test_a_command_that_follows_another_pipeline_than_the_stack_is_refused(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, other = standard(), load(standard().text.replace("version: 1", "version: 2"))
    stack.says("pipeline", "list")
    (tmp_path / "life.yaml").write_text(other.text, "utf-8")
    monkeypatch.setenv("DEALERFLOW_PIPELINE", str(tmp_path / "life.yaml"))
    assert f"does not know the pipeline {other.id} yet: call its function prepare" in stack.refuses(
        "pipeline", "list"
    )
    stack.follows(ours.id)
    told = stack.refuses("pipeline", "move", ours.id)
    assert f"new orders of shop follow the pipeline {ours.id}, and this program has {other.id}" in told
    monkeypatch.delenv("DEALERFLOW_PIPELINE")
    stack.says("pipeline", "list")


def test_without_boto3_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['boto3'] = None; sys.modules['botocore'] = None\n"
        "from dealerflow.cli.main import main; sys.argv = ['dealerflow', 'queues']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"DEALERFLOW_STACK": "shop", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "make console" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_of_one_machine_never_loads_boto3(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom dealerflow.cli.main import app\n"
        "from typer.testing import CliRunner\n"
        "result = CliRunner().invoke(app, ['queues', 'list', '--data', sys.argv[1]])\n"
        "assert result.exit_code == 0, result.output\n"
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=tmp_path, check=True)


def test_new_number_series_are_opened_from_afar(stack: Stack) -> None:
    """As after a restore to a point in time."""
    assert "nothing was changed" in stack.says("new-series")
    assert "go on with R1" in stack.says("new-series", "--yes", "--reason", "back to noon")
    assert "back to noon" in stack.says("new-series")

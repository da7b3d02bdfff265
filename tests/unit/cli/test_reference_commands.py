from __future__ import annotations

import json
from pathlib import Path

import pytest

from dealerflow.application.access import read_token
from dealerflow.cli.worker_process import tell_of_unknown_queues
from dealerflow.composition import demo
from tests.unit.cli.conftest import Terminal

SELLER = ["--seller", "Hill Ltd", "--address", "1 Hill", "--tax-id", "X1", "--country", "IE", "--currency", "EUR",
          "--tax-rate", "2300", "--timezone", "Europe/Dublin"]  # fmt: skip
DEMO = Path(demo.__file__).parent


def test_a_token_is_printed_and_nothing_else(terminal: Terminal) -> None:
    said = terminal.says("token", "Operator@factory.example")
    token = said.removesuffix("\n")
    assert "\n" not in token
    account = next(
        one for one in terminal.json("accounts", "list") if one["email"] == "operator@factory.example"
    )
    assert read_token(token, terminal.system.secret) == (account["id"], 0)
    assert terminal.says("token", account["id"]) == said


def test_an_unknown_account_is_told_with_the_one_that_was_meant(terminal: Terminal) -> None:
    said = terminal.refuses("token", "operater@factory.example")
    assert said == "there is no account operater@factory.example; did you mean operator@factory.example?\n"


def test_an_account_is_added_changed_closed_and_opened(terminal: Terminal) -> None:
    add = [
        "accounts",
        "add",
        "ann@factory.example",
        "--name",
        "Ann",
        "--role",
        "line_lead:A",
        "--role",
        "operator",
    ]
    terminal.says(*add, typed="correct horse\n")
    ann = find(terminal, "ann@factory.example")
    assert ann["memberships"] == ["line_lead:A", "operator"]
    with terminal.system.database.read() as work:
        account = work.people.account_by_email("ann@factory.example")
    assert account is not None

    terminal.says("accounts", "password", "ann@factory.example", typed="battery staple\n")
    terminal.says("accounts", "disable", "ann@factory.example")
    assert find(terminal, "ann@factory.example")["active"] is False
    assert terminal.refuses("token", "ann@factory.example", status=2).startswith("the account")
    terminal.says("accounts", "enable", "ann@factory.example")
    assert terminal.says("token", "ann@factory.example")


def find(terminal: Terminal, email: str) -> dict[str, object]:
    found: dict[str, object] = next(one for one in terminal.json("accounts") if one["email"] == email)
    return found


def test_a_password_that_is_too_short_is_refused(terminal: Terminal) -> None:
    said = terminal.refuses("accounts", "password", "admin@factory.example", status=2, typed="short\n")
    assert said == "the password must have 8 to 200 characters\n"


def test_every_fault_of_an_account_is_told(terminal: Terminal) -> None:
    add = [
        "accounts",
        "add",
        "nobody",
        "--name",
        "Ann",
        "--role",
        "boss",
        "--role",
        "dealer:moon",
        "--no-password",
    ]
    said = terminal.refuses(*add)
    assert "/0/email: must be an e-mail address" in said
    assert '/0/memberships/0/role: there is no role "boss"' in said
    assert (
        '/0/memberships/1/scope: there is no dealership "moon"; there are: harbour, lakeside, northside'
        in said
    )


def test_accounts_are_imported_from_a_spreadsheet_or_not_at_all(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "email,name,memberships\nbo@factory.example,Bo,operator\nc@factory.example,Cy,dealer:moon\n"
    )
    assert "row 3, column memberships: there is no dealership" in terminal.refuses(
        "accounts", "import", str(file)
    )
    assert "bo@factory.example" not in terminal.says("accounts")
    file.write_text("email,name,memberships\nbo@factory.example,Bo,operator\n")
    assert terminal.says("accounts", "import", str(file)) == "1 accounts\n"


def test_a_new_installation_is_set_up_by_commands_alone(new_terminal: Terminal, tmp_path: Path) -> None:
    terminal = new_terminal
    said = terminal.says("catalogue", "import", str(DEMO / "catalogue.json"))
    assert said == "catalogue version 1\n"
    terminal.says(
        "dealerships", "add", "hillside", "--name", "Hillside", "--email", "cars@hillside.example",
        "--delivery-line", "hills", *SELLER, "--terms", "production:20 handover:80",
    )  # fmt: skip
    terminal.says("lines", "add", "A", "--places", "3", "--model", "meridian")
    terminal.says("plants", "add", "main", "--name", "Works", "--vin-code", "SAX")
    terminal.says("defects", "import", str(DEMO / "defects.json"))
    terminal.says("topics", "subscribe", "quality-alerts", "address", "boss@factory.example")
    (dealership,) = terminal.json("dealerships")
    assert dealership["terms"] == ["production:20", "handover:80"]
    assert dealership["seller"]["number_prefix"] == "HILLSIDE"
    assert terminal.json("lines")[0]["models"] == ["meridian"]
    assert terminal.json("plants") == [{"id": "main", "name": "Works", "vin_code": "SAX"}]
    assert [one["target"] for one in terminal.json("topics")] == [
        "boss@factory.example",
        "head_of_operations",
    ]
    assert "deliveries-hills" in terminal.says("queues")


def test_what_is_wrong_with_a_catalogue_is_told_and_it_is_not_imported(
    terminal: Terminal, tmp_path: Path
) -> None:
    wrong = json.loads((DEMO / "catalogue.json").read_text())
    wrong["models"][0]["price"] = {"EUR": -1}
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(wrong))
    assert "/models/0/price/EUR: must be at least 0" in terminal.refuses("catalogue", "import", str(file))
    assert {one["version"] for one in terminal.json("catalogue")} == {1}


def test_the_catalogue_that_is_exported_can_be_imported_again(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.json"
    file.write_text(terminal.says("catalogue", "export"))
    assert terminal.says("catalogue", "import", str(file)) == "catalogue version 2\n"


def test_lists_are_tables_json_or_csv(terminal: Terminal) -> None:
    assert terminal.says("defects", "--csv").splitlines()[:2] == ["code,en,es", "paint,Paint,Pintura"]
    assert terminal.says("defects").splitlines()[1].split() == ["paint", "Paint", "Pintura"]
    assert terminal.json("defects", "list")[0]["title"] == {"en": "Paint", "es": "Pintura"}


def test_a_subscription_that_makes_no_sense_is_refused(terminal: Terminal) -> None:
    assert "/kind: must be one of" in terminal.refuses("topics", "subscribe", "quality-alerts", "pigeon", "x")
    assert "/target: must be one of" in terminal.refuses(
        "topics", "subscribe", "quality-alerts", "role", "boss"
    )
    assert "nothing of x goes to" in terminal.refuses("topics", "unsubscribe", "x", "role", "boss")


@pytest.mark.parametrize("arguments", [["orders", "list"], ["token", "x"], ["queues"], ["audit"]])
def test_a_directory_that_does_not_exist_is_not_made_by_looking(
    new_terminal: Terminal, arguments: list[str]
) -> None:
    said = new_terminal.refuses(*arguments, status=2)
    assert said.startswith(f"there is no Dealerflow in {new_terminal.data}")
    assert not new_terminal.data.exists()


def test_a_file_that_cannot_be_read_is_told(terminal: Terminal) -> None:
    said = terminal.refuses("lines", "import", "nowhere.csv", status=2)
    assert said == "nowhere.csv cannot be read: No such file or directory\n"


def test_wrong_usage_and_wrong_settings_have_a_status_of_their_own(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No such option" in terminal.refuses("orders", "list", "--bogus", status=2)
    assert "--sort must be one of" in terminal.refuses("orders", "list", "--sort", "colour", status=2)
    monkeypatch.setenv("DEALERFLOW_PORT", "many")
    assert "DEALERFLOW_PORT: must be a whole number" in terminal.refuses("orders", "list", status=2)


def test_a_demo_is_refused_where_others_could_reach_it(new_terminal: Terminal) -> None:
    said = new_terminal.refuses("serve", "--demo", "--host", "0.0.0.0", status=2)  # noqa: S104 - refused
    assert "only on 127.0.0.1" in said
    assert not new_terminal.data.exists()


def test_a_worker_on_another_machine_needs_the_same_secret(
    new_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEALERFLOW_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert "DEALERFLOW_SECRET_KEY" in new_terminal.refuses("work", status=2)


def test_a_catalogue_is_checked_by_a_command_that_takes_a_directory_like_all(terminal: Terminal) -> None:
    assert terminal.says("catalogue", "check", str(DEMO / "catalogue.json")) == "nothing is wrong\n"


def test_a_worker_tells_of_queues_that_there_are_not(
    terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    tell_of_unknown_queues(terminal.system, ("orders", "invoices", "deliveries-*"))
    assert caplog.messages == []
    tell_of_unknown_queues(terminal.system, ("invoises",))
    (said,) = caplog.messages
    assert said.startswith("there is no queue invoises yet; there are: decisions, deliveries-coast, ")

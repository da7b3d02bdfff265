from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from pathlib import Path

import pytest

from dealerflow.adapters.database.number_series import SKIPPED_VINS
from dealerflow.adapters.embedded.spool import SpoolWriter
from dealerflow.adapters.embedded.spool_reader import SqliteSpoolReader
from dealerflow.application import queues
from dealerflow.domain.messages import Claimed, PublishEvent
from dealerflow.pipeline.asl import asl_text
from dealerflow.pipeline.loader import standard
from tests.unit.cli.conftest import PRICE, Terminal

VIN = "1M8GDM9AXKP042788"  # the example of 49 CFR 565 with a right check digit
HEADER = "reference,dealership,state,customer.name,customer.email,vehicle.model,vehicle.trim,vehicle.colour,vin,line,paid\n"


def open_order(
    reference: str = "old-1", state: str = "order_arrived", vin: str = "", line: str = "", paid: str = ""
) -> str:
    return f"{reference},northside,{state},Ana,ana@example.com,meridian,base,deep-blue,{vin},{line},{paid}\n"


def test_orders_are_listed_as_a_table_as_json_and_as_csv(terminal: Terminal) -> None:
    order = terminal.order()
    assert order in terminal.says("orders", "list")
    (view,) = terminal.json("orders", "list")
    assert (view["id"], view["state"], view["price"]) == (
        order,
        "order_placed",
        {"amount": PRICE, "currency": "EUR"},
    )
    (row,) = csv.DictReader(io.StringIO(terminal.says("orders", "list", "--csv")))
    assert (row["customer"], row["price"], row["paid"], row["currency"]) == (
        "Ana Núñez",
        str(PRICE),
        "0",
        "EUR",
    )
    assert terminal.json("orders", "list", "--state", "ended") == []


def test_what_somebody_entered_is_no_formula_in_a_spreadsheet(terminal: Terminal) -> None:
    terminal.order(name='=HYPERLINK("http://evil.example")')
    (row,) = csv.DictReader(io.StringIO(terminal.says("orders", "export")))
    assert row["customer"] == '\'=HYPERLINK("http://evil.example")'


def test_an_export_has_every_order(terminal: Terminal) -> None:
    placed = {terminal.order() for _ in range(5)}
    rows = list(csv.DictReader(io.StringIO(terminal.says("orders", "export"))))
    assert {row["id"] for row in rows} == placed
    assert len(terminal.json("orders", "list", "--limit", "2")) == 2


def test_an_order_is_shown_with_its_history(terminal: Terminal) -> None:
    order = terminal.order()
    said = terminal.says("orders", "show", order)
    assert "Waiting for the dealership" in said
    assert "OrderPlaced" in said
    assert terminal.json("orders", "show", order)["history"][0]["type"] == "OrderPlaced"
    assert terminal.refuses("orders", "show", "ord_0") == "there is no order ord_0\n"


def test_an_unknown_state_is_told_with_those_that_there_are(terminal: Terminal) -> None:
    assert "quality_check" in terminal.refuses("orders", "list", "--state", "lost")


def test_an_order_is_put_in_a_state_on_record(terminal: Terminal) -> None:
    order = terminal.order()
    needs_line = terminal.refuses("orders", "place", order, "production_started", "--reason", "lost papers")
    assert "--line (of: A, B)" in needs_line
    said = terminal.says(
        "orders", "place", order, "production_started", "--reason", "lost papers", "--line", "B"
    )
    assert said == f"{order} is in production_started\n"
    view = terminal.json("orders", "show", order)
    put = view["history"][-1]
    assert (put["type"], put["details"]["reason"], put["by"][:12]) == (
        "OrderPut",
        "lost papers",
        "command line",
    )
    assert terminal.json("lines")[1]["taken"] == 1
    assert "there is no state" in terminal.refuses("orders", "place", order, "moon", "--reason", "x")
    assert "Missing option '--reason'" in terminal.refuses("orders", "place", order, "ended", status=2)


# --- bringing in ---


def test_open_orders_are_brought_in_with_their_cars_places_and_payments(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "open.csv"
    file.write_text(HEADER + open_order() + open_order("old-2", "production_started", VIN, "A", "1000"))
    assert terminal.says("orders", "import", str(file), "--dry-run") == "2 orders would be imported\n"
    assert terminal.json("orders", "list") == []
    assert terminal.json("lines")[0]["taken"] == 0

    assert terminal.says("orders", "import", str(file)) == "2 orders imported\n"
    waiting, building = sorted(
        terminal.json("orders", "list"), key=lambda view: str(view["facts"]["reference"])
    )
    assert (waiting["state"], waiting["vin"], waiting["line"]) == ("order_arrived", None, None)
    assert (building["state"], building["vin"], building["line"]) == ("production_started", VIN, "A")
    assert building["payment"]["arrived"]["amount"] == 1000
    assert terminal.json("lines")[0]["taken"] == 1
    assert terminal.json("mail", "list") == []
    (payment,) = terminal.json("payments", "list", building["id"])
    assert (payment["method"], payment["status"]) == ("imported", "paid")
    assert terminal.json("audit")["clean"]

    assert '"old-1" was brought in before' in terminal.refuses("orders", "import", str(file))
    assert len(terminal.json("orders", "list")) == 2


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (open_order(state="ended"), 'row 2, column state: "ended" is over'),
        (open_order(state="moon"), 'row 2, column state: "moon" is no state'),
        (open_order(vin=VIN), "row 2, column vin: an order in order_arrived has no car yet"),
        (open_order(state="quality_passed"), "row 2, column vin: is missing"),
        (open_order(state="quality_passed", vin="I0Q"), "row 2, column vin: must have 17 characters"),
        (open_order(state="quality_check", vin=VIN), "row 2, column line: is missing"),
        (open_order(state="quality_check", vin=VIN, line="Z"), 'row 2, column line: there is no line "Z"'),
        (open_order(paid="99999999999"), "row 2, column paid: is more than the price"),
        (open_order(paid="-1"), "row 2, column paid: must be at least 0"),
        (
            open_order(state="order_placed", paid="1"),
            "row 2, column paid: nothing can be paid in order_placed",
        ),
        (open_order() + open_order(), 'row 3, column reference: "old-1" is given twice'),
        (
            open_order("a", "quality_passed", VIN) + open_order("b", "quality_passed", VIN),
            f"row 3, column vin: {VIN} is given twice",
        ),
        (
            open_order().replace("meridian", "zeppelin"),
            'row 2, column vehicle.model: there is no model "zeppelin"',
        ),
        (
            open_order().replace("ana@example.com", "ana"),
            "row 2, column customer.email: must be an e-mail address",
        ),
        (
            open_order().replace("northside", "moonside"),
            'row 2, column dealership: there is no dealership "moonside"',
        ),
    ],
)
def test_each_fault_of_an_import_is_told_by_row_and_nothing_is_brought_in(
    terminal: Terminal, tmp_path: Path, rows: str, told: str
) -> None:
    file = tmp_path / "open.csv"
    file.write_text(HEADER + open_order("right") + rows if "row 3" not in told else HEADER + rows)
    if "row 3" not in told:
        told = told.replace("row 2", "row 3")
    assert told in terminal.refuses("orders", "import", str(file))
    assert terminal.json("orders", "list") == []


def test_a_line_takes_no_more_cars_than_it_has_places(terminal: Terminal, tmp_path: Path) -> None:
    terminal.says("lines", "add", "A", "--places", "1")
    file = tmp_path / "open.csv"
    other = "5GZCZ43D13S812715"
    file.write_text(
        HEADER + open_order("a", "quality_check", VIN, "A") + open_order("b", "quality_check", other, "A")
    )
    assert "row 3, column line: line A has 1 free places, and this is car 2" in terminal.refuses(
        "orders", "import", str(file)
    )


def test_a_wrong_check_digit_only_warns(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "open.csv"
    file.write_text(HEADER + open_order(state="quality_passed", vin="1M8GDM9A0KP042788"))
    result = terminal.run("orders", "import", str(file))
    assert result.exit_code == 0
    assert "warning: row 2, column vin: the check digit" in result.stderr


# --- queues ---


def bury_one(terminal: Terminal) -> str:
    """A dead letter on the queue `events`; its id."""
    store, now = terminal.system.store, terminal.system.clock.now()
    with terminal.system.database.begin() as work:
        work.send(queues.EVENTS, PublishEvent(event="evt_1"))
    claimed: list[Claimed] = store.claim(queues.EVENTS, 100, owner="test", now=now)
    store.bury(claimed, now=now, error="it would not go")
    return claimed[-1].envelope.id


def test_dead_letters_are_shown_offered_again_and_discarded_on_record(terminal: Terminal) -> None:
    message = bury_one(terminal)
    (letter,) = terminal.json("queues", "dead", "events")
    assert (letter["id"], letter["type"], letter["error"]) == (message, "PublishEvent", "it would not go")
    assert "name the messages, or give --all" in terminal.refuses("queues", "redrive", "events", status=2)
    assert terminal.says("queues", "redrive", "events", "--all") == "1 messages\n"
    assert terminal.json("queues", "dead", "events") == []
    both = {bury_one(terminal), message}
    assert {letter["id"] for letter in terminal.json("queues", "dead", "events")} == both
    assert terminal.says("queues", "discard", "events", *both, "--reason", "a test") == "2 messages\n"
    assert terminal.json("queues", "dead", "events") == []


def test_a_queue_is_paused_and_resumed(terminal: Terminal) -> None:
    terminal.says("queues", "pause", "invoices")
    paused = {one["name"] for one in terminal.json("queues") if one["paused"]}
    assert paused == {"invoices"}
    terminal.says("queues", "resume", "invoices")
    assert not any(one["paused"] for one in terminal.json("queues"))
    assert "there is no queue invoice; there are: decisions" in terminal.refuses("queues", "pause", "invoice")


# --- the pipeline ---


def test_a_pipeline_file_is_checked_with_lines(terminal: Terminal, tmp_path: Path) -> None:
    assert "nothing is wrong" in terminal.says("pipeline", "check")
    file = tmp_path / "mine.yaml"
    file.write_text(standard().text.replace("to: order_arrived", "to: order_lost", 1))
    said = terminal.refuses("pipeline", "check", str(file))
    assert said.startswith(f"{file}:")
    assert "order_lost" in said


def test_a_pipeline_is_drawn(terminal: Terminal) -> None:
    assert terminal.says("pipeline", "diagram", "--format", "mermaid").startswith("stateDiagram")
    assert "<svg" in terminal.says("pipeline", "diagram", "--format", "svg", "--language", "es")
    assert "quality_check" in terminal.says("pipeline", "diagram")
    assert "--format must be one of" in terminal.refuses("pipeline", "diagram", "--format", "png", status=2)


def test_a_pipeline_is_written_for_step_functions(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.says("pipeline", "asl") == asl_text(standard())
    file = tmp_path / "mine.yaml"
    file.write_text(standard().text.replace("pipeline: standard", "pipeline: mine"))
    machine = json.loads(terminal.says("pipeline", "asl", str(file), "--partition", "aws-cn"))
    assert "pipeline mine, version 1" in machine["Comment"]
    assert machine["States"]["ended"]["Resource"].startswith("arn:aws-cn:states:")
    assert "--partition must be one of" in terminal.refuses(
        "pipeline", "asl", "--partition", "aws-moon", status=2
    )


def test_orders_move_to_another_version_when_told_to(terminal: Terminal) -> None:
    order = terminal.order()
    old = terminal.system.pipelines.current.id
    (terminal.data / "mine.yaml").write_text(standard().text.replace("version: 1", "version: 2", 1))
    (terminal.data / "dealerflow.toml").write_text('pipeline = "mine.yaml"\n')
    assert "1 would move" in terminal.says("pipeline", "move", old)
    assert "1 moved" in terminal.says("pipeline", "move", old, "--yes")
    assert "0 moved" in terminal.says("pipeline", "move", old, "--yes")
    with terminal.system.database.read() as work:
        assert work.orders.get(order).pipeline != old
    assert "there is no pipeline older" in terminal.refuses("pipeline", "move", "older")


def test_orders_whose_state_the_new_version_lacks_stay_and_are_counted(terminal: Terminal) -> None:
    order, _ = terminal.order(), terminal.order()
    old = terminal.system.pipelines.current.id
    renamed = re.sub(
        r"^(start:|  )( ?)order_placed(:?)$", r"\1\2order_taken\3", standard().text, flags=re.MULTILINE
    )
    (terminal.data / "mine.yaml").write_text(renamed.replace("version: 1", "version: 2", 1))
    (terminal.data / "dealerflow.toml").write_text('pipeline = "mine.yaml"\n')
    reason = "2 stay: standard version 2 has no state order_placed\n"
    new = f"standard-{terminal.says('pipeline', 'asl').partition(': standard-')[2][:12]}"
    assert terminal.says("pipeline", "move", old) == f"{reason}0 would move to {new}\n"
    assert terminal.says("pipeline", "move", old, "--yes") == f"{reason}0 moved to {new}\n"
    with terminal.system.database.read() as work:
        assert work.orders.get(order).pipeline == old


# --- keeping ---


def test_the_openapi_document_is_written(terminal: Terminal, tmp_path: Path) -> None:
    assert "/api/v1/orders" in json.loads(terminal.says("openapi"))["paths"]
    terminal.says("openapi", str(tmp_path / "openapi.json"))
    assert json.loads((tmp_path / "openapi.json").read_text())["openapi"].startswith("3.1")


def test_an_audit_finds_what_is_wrong(terminal: Terminal) -> None:
    order = terminal.order()
    assert "nothing is wrong" in terminal.says("audit")
    terminal.system.close()
    with sqlite3.connect(terminal.data / "dealerflow.db") as database:
        database.execute("UPDATE orders SET paid = 5 WHERE id = ?", (order,))
    result = terminal.run("audit", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert not report["clean"]
    assert report["faults"][0]["subject"] == order


def test_a_backup_is_brought_back_with_new_number_series(terminal: Terminal, tmp_path: Path) -> None:
    order = terminal.order()
    spool = SpoolWriter(terminal.data / "intake.db")
    spool.open()
    spool.close()
    secret = terminal.system.secret
    assert terminal.says("backup", str(tmp_path / "copy")).startswith(
        f"{tmp_path / 'copy'}: intake.db, dealerflow.db"
    )
    assert "is not empty" in terminal.refuses("backup", str(tmp_path / "copy"))
    assert "is not empty" in terminal.refuses("restore", str(tmp_path / "copy"))

    restored = Terminal(tmp_path / "restored")
    assert "document numbers go on with R1" in restored.says("restore", str(tmp_path / "copy"))
    assert [view["id"] for view in restored.json("orders", "list")] == [order]
    assert restored.system.secret == secret
    with restored.system.database.begin() as work:
        assert work.factory.next_serial("main")[1] == SKIPPED_VINS + 1
        assert work.billing.next_running("northside", "invoice", 2026) == (1, 1)
    restored.system.close()


def test_a_restored_spool_counts_on_from_where_its_database_has_been(
    terminal: Terminal, tmp_path: Path
) -> None:
    """The database is copied after the spool, and may have drained orders that the older copy of the spool
    does not know.
    """
    spool = SpoolWriter(terminal.data / "intake.db")
    spool_id = spool.open()
    spool.close()
    terminal.says("backup", str(tmp_path / "copy"))
    with sqlite3.connect(tmp_path / "copy" / "dealerflow.db") as database:
        database.execute("INSERT INTO spools (id, position) VALUES (?, 20)", (spool_id,))
    restored = Terminal(tmp_path / "restored")
    restored.says("restore", str(tmp_path / "copy"))
    reader = SqliteSpoolReader(tmp_path / "restored" / "intake.db")
    assert reader.last() == 20
    reader.close()
    restored.system.close()


def test_where_there_is_nothing_there_is_nothing_to_back_up(new_terminal: Terminal, tmp_path: Path) -> None:
    assert "there is nothing to back up" in new_terminal.refuses("backup", str(tmp_path / "copy"))
    assert "there is no backup in" in new_terminal.refuses("restore", str(tmp_path / "nowhere"))

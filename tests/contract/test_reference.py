from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database import schema
from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.database.pipelines import PipelineLibrary
from dealerflow.adapters.database.unit_of_work import SqlDatabase
from dealerflow.application import reference_files as files
from dealerflow.application.import_files import Rows, read_rows
from dealerflow.application.reference import STANDARD_SUBSCRIPTION, Subscription, snapshot, standard_data
from dealerflow.composition.testing import CountedIds, StillClock
from dealerflow.domain.billing import Term
from dealerflow.domain.errors import Invalid, NotFound
from dealerflow.domain.people import Membership
from dealerflow.pipeline.loader import load, standard

DEMO = Path(__file__).parents[2] / "src" / "dealerflow" / "composition" / "demo"
SELLER: dict[str, Any] = {
    "name": "Hillside Ltd",
    "address": "1 Hill",
    "tax_id": "X1",
    "country": "IE",
    "timezone": "Europe/Dublin",
    "currency": "EUR",
    "tax_rate": 2300,
    "number_prefix": "HILLSIDE",
}
HILLSIDE: dict[str, Any] = {
    "id": "hillside",
    "name": "Hillside",
    "email": "cars@hillside.example",
    "delivery_line": "north",
    "seller": SELLER,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    on_sqlite = request.param == "sqlite"
    engine = open_engine(
        f"sqlite:///{tmp_path / 'reference.db'}" if on_sqlite else request.getfixturevalue("postgres_url")
    )
    schema.upgrade(engine)
    pipelines = PipelineLibrary(engine, standard(), load)
    database = SqlDatabase(engine, StillClock(), CountedIds(), pipelines)
    with database.begin() as work:
        standard_data(work)
        files.put_catalogue(work, (DEMO / "catalogue.json").read_bytes())
    yield database
    engine.dispose()


def rows(*values: dict[str, Any]) -> Rows:
    return Rows(values=list(values))


def faults(raised: pytest.ExceptionInfo[Invalid]) -> dict[str, str]:
    return {fault.pointer: fault.detail for fault in raised.value.faults}


def load_demo(database: SqlDatabase) -> None:
    with database.begin() as work:
        for name, put in (
            ("dealerships", files.put_dealerships),
            ("lines", files.put_lines),
            ("defects", files.put_defect_codes),
        ):
            put(work, read_rows((DEMO / f"{name}.json").read_bytes(), f"{name}.json", {}))
        accounts = read_rows((DEMO / "accounts.json").read_bytes(), "accounts.json", {})
        files.put_accounts(work, accounts, lambda password: f"hash of {password}", least_password=1)


def test_the_demo_data_fits(database: SqlDatabase) -> None:
    load_demo(database)
    with database.read() as work:
        assert [dealership.id for dealership in work.reference.dealerships()] == [
            "harbour",
            "lakeside",
            "northside",
        ]
        assert [line.id for line in work.factory.lines()] == ["A", "B"]
        assert [code.code for code in work.factory.defect_codes()] == [
            "paint",
            "gap",
            "electrics",
            "noise",
            "leak",
        ]
        assert len(work.reference.accounts()) == 12
        dealer = work.people.account_by_email("dealer@northside.example")
        assert dealer is not None
        assert dealer.roles() == {"dealer", "dealer_admin"}
        assert work.reference.subscriptions() == [STANDARD_SUBSCRIPTION]


def test_a_snapshot_is_what_intake_has_to_know(database: SqlDatabase) -> None:
    load_demo(database)
    with database.read() as work:
        taken = snapshot(work)
        assert taken is not None
        assert taken.number == work.reference.snapshot_number() == 2
    assert taken.catalogue.models[0].code == "meridian"
    lakeside = taken.dealerships["lakeside"]
    assert lakeside.terms == (Term(before="production", percent=20), Term(before="handover", percent=80))
    assert lakeside.currency == "EUR"


def test_without_a_catalogue_there_is_no_snapshot(database: SqlDatabase) -> None:
    with database.begin() as work:
        work.connection.execute(sa.delete(t.catalogues))
    with database.read() as work:
        assert snapshot(work) is None


def test_each_write_that_concerns_intake_gives_a_new_snapshot(database: SqlDatabase) -> None:
    def number() -> int:
        with database.read() as work:
            return work.reference.snapshot_number()

    before = number()
    with database.begin() as work:
        files.put_dealerships(work, rows(HILLSIDE))
    assert number() == before + 1
    with database.begin() as work:
        files.put_catalogue(work, (DEMO / "catalogue.json").read_bytes())
    assert number() == before + 2
    with database.begin() as work:
        files.put_lines(work, rows({"id": "C", "name": "C", "places": 3}))
    assert number() == before + 2


def test_a_new_installation_begins_once(database: SqlDatabase) -> None:
    with database.begin() as work:
        work.reference.unsubscribe(STANDARD_SUBSCRIPTION)
        assert not standard_data(work)
        assert work.reference.subscriptions() == []


def test_a_catalogue_gets_the_next_version_whatever_it_says(database: SqlDatabase) -> None:
    with database.begin() as work:
        assert files.put_catalogue(work, (DEMO / "catalogue.json").read_bytes()) == 2
        catalogue = work.reference.catalogue()
    assert catalogue is not None
    assert catalogue.version == 2


def test_a_catalogue_without_prices_in_a_dealerships_currency_is_refused(database: SqlDatabase) -> None:
    with database.begin() as work:
        files.put_dealerships(work, rows({**HILLSIDE, "seller": {**SELLER, "currency": "USD"}}))
    only_euro = json.loads((DEMO / "catalogue.json").read_bytes(), object_pairs_hook=without_dollars)
    with pytest.raises(Invalid) as raised, database.begin() as work:
        files.put_catalogue(work, json.dumps(only_euro).encode())
    assert faults(raised) == {
        "/currencies": "Hillside Ltd sells in USD, in which this catalogue has no prices"
    }


def without_dollars(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = {key: content for key, content in pairs if key != "USD"}
    return {**value, "currencies": ["EUR"]} if "currencies" in value else value


def test_every_fault_of_a_file_is_named_and_nothing_of_it_is_written(database: SqlDatabase) -> None:
    wrong = {
        "id": "hill side",
        "name": " ",
        "email": "nobody",
        "delivery_line": "north",
        "seller": {**SELLER, "tax_rate": "23"},
    }
    with pytest.raises(Invalid) as raised, database.begin() as work:
        files.put_dealerships(work, rows(HILLSIDE, wrong))
    assert set(faults(raised)) == {"/1/id", "/1/name", "/1/seller/tax_rate"}
    with database.read() as work:
        assert work.reference.dealerships() == []


def test_a_file_is_checked_against_what_is_there(database: SqlDatabase) -> None:
    with database.begin() as work:
        files.put_dealerships(work, rows(HILLSIDE))
    other = {
        **HILLSIDE,
        "id": "valley",
        "email": "nobody",
        "models": ["meridian", "zeppelin"],
        "terms": [{"before": "delivery", "percent": 50}],
        "seller": {**SELLER, "timezone": "Europe/Nowhere", "currency": "JPY"},
    }
    with pytest.raises(Invalid) as raised, database.begin() as work:
        files.put_dealerships(work, rows(other, other))
    told = faults(raised)
    assert told["/1/id"] == '"valley" is given twice; give it once'
    assert told["/0/email"].startswith("must be an e-mail address")
    assert told["/0/models/1"].startswith('the catalogue has no model "zeppelin"')
    assert told["/0/terms"] == "the percents must sum up to 100, these make 50"
    assert told["/0/seller/timezone"].startswith('there is no time zone "Europe/Nowhere"')
    assert told["/0/seller/currency"].startswith("the catalogue has no prices in JPY")
    assert told["/0/seller/number_prefix"] == "HILLSIDE is the prefix of hillside; choose another"


def test_two_dealerships_may_share_a_seller_but_not_disagree_about_it(database: SqlDatabase) -> None:
    shared = {**SELLER, "id": "group"}
    with database.begin() as work:
        files.put_dealerships(
            work, rows({**HILLSIDE, "seller": shared}, {**HILLSIDE, "id": "valley", "seller": shared})
        )
        assert [seller.id for seller in work.reference.sellers()] == ["group"]
    with pytest.raises(Invalid, match="told otherwise further up"), database.begin() as work:
        files.put_dealerships(
            work,
            rows(
                {**HILLSIDE, "seller": shared}, {**HILLSIDE, "id": "b", "seller": {**shared, "tax_rate": 1}}
            ),
        )


def test_what_documents_were_issued_with_stays(database: SqlDatabase) -> None:
    with database.begin() as work:
        files.put_dealerships(work, rows(HILLSIDE))
        work.billing.next_running("hillside", "invoice", 2026)
    with pytest.raises(Invalid) as raised, database.begin() as work:
        files.put_dealerships(
            work, rows({**HILLSIDE, "seller": {**SELLER, "currency": "USD", "number_prefix": "HILL"}})
        )
    assert set(faults(raised)) == {"/0/seller/currency", "/0/seller/number_prefix"}
    with database.begin() as work:
        files.put_dealerships(
            work, rows({**HILLSIDE, "name": "Hill", "seller": {**SELLER, "tax_rate": 2100}})
        )
        assert work.reference.sellers()[0].tax_rate == 2100


def test_a_line_that_changes_keeps_the_places_that_are_taken(database: SqlDatabase) -> None:
    with database.begin() as work:
        files.put_lines(work, rows({"id": "A", "name": "A", "places": 2}))
        work.factory.take_place("A")
        files.put_lines(work, rows({"id": "A", "name": "Line A", "places": 1, "models": ["meridian"]}))
        line = work.factory.line("A")
    assert line is not None
    assert (line.name, line.places, line.taken, line.models) == ("Line A", 1, 1, ("meridian",))


def test_a_line_stands_in_a_plant_that_is_known(database: SqlDatabase) -> None:
    with pytest.raises(Invalid, match='there is no plant "moon"; there are: main'), database.begin() as work:
        files.put_lines(work, rows({"id": "A", "name": "A", "places": 2, "plant": "moon"}))


def test_a_plant_whose_letter_no_vin_has_is_refused(database: SqlDatabase) -> None:
    with pytest.raises(Invalid, match="must not begin with i, o or q"), database.begin() as work:
        files.put_plants(work, rows({"id": "oslo", "name": "Oslo", "vin_code": "DZ8"}))


def test_an_account_is_known_by_its_address_in_any_case(database: SqlDatabase) -> None:
    first = {
        "email": "Ann@Factory.example",
        "name": "Ann",
        "memberships": [{"role": "admin"}],
        "password": "long enough",
    }
    with database.begin() as work:
        files.put_accounts(work, rows(first), lambda password: f"hash of {password}")
        files.put_accounts(
            work,
            rows({**first, "name": "Ann B.", "memberships": [{"role": "line_lead"}], "password": None}),
            str,
        )
        (account,) = work.reference.accounts()
        row = work.connection.execute(sa.select(t.accounts.c.password_hash)).scalar()
    assert (account.email, account.name, account.epoch) == ("ann@factory.example", "Ann B.", 0)
    assert account.memberships == (Membership(role="line_lead"),)
    assert row == "hash of long enough"


def test_a_new_password_makes_tokens_void(database: SqlDatabase) -> None:
    ann = {
        "email": "ann@factory.example",
        "name": "Ann",
        "memberships": [{"role": "admin"}],
        "password": "long enough",
    }
    with database.begin() as work:
        files.put_accounts(work, rows(ann), str)
        files.put_accounts(work, rows(ann), str)
        assert work.reference.accounts()[0].epoch == 1


def test_memberships_name_roles_and_scopes_that_are_there(database: SqlDatabase) -> None:
    held = [
        {"role": "boss"},
        {"role": "dealer", "scope": "moon"},
        {"role": "admin", "scope": "main"},
        {"role": "dealer"},
    ]
    with pytest.raises(Invalid) as raised, database.begin() as work:
        files.put_accounts(
            work, rows({"email": "a@b.example", "name": "A", "memberships": held, "password": "short"}), str
        )
    told = faults(raised)
    assert set(told) == {
        "/0/memberships/0/role",
        "/0/memberships/1/scope",
        "/0/memberships/2/scope",
        "/0/password",
    }
    assert told["/0/memberships/1/scope"] == 'there is no dealership "moon"; there are: none yet'


def test_a_subscription_is_there_once(database: SqlDatabase) -> None:
    mine = Subscription(topic="quality-alerts", kind="address", target="boss@factory.example")
    with database.begin() as work:
        work.reference.subscribe(mine)
        work.reference.subscribe(mine)
        assert work.reference.subscriptions() == [mine, STANDARD_SUBSCRIPTION]
        assert work.happenings.subscribers("quality-alerts") == [
            ("address", "boss@factory.example"),
            ("role", "head_of_operations"),
        ]
        assert work.reference.unsubscribe(mine)
        assert not work.reference.unsubscribe(mine)


def test_a_pipeline_that_an_order_follows_is_read_again_from_its_text(database: SqlDatabase) -> None:
    standard_library = PipelineLibrary(database.engine, standard(), load)
    standard_library.store(1)
    standard_library.store(2)
    newer = load(standard().text.replace("version: 1", "version: 2", 1))
    library = PipelineLibrary(database.engine, newer, load)
    library.store(3)
    assert library.stored() == [standard().id, newer.id]
    assert library.current == newer
    assert library.get(standard().id) == standard()
    with pytest.raises(NotFound, match="no pipeline other"):
        library.get("other")


def test_a_reference_file_is_imported_from_a_spreadsheet(database: SqlDatabase) -> None:
    raw = (
        "id;name;email;delivery_line;models;terms;seller.name;seller.address;seller.tax_id;seller.country;"
        "seller.timezone;seller.currency;seller.tax_rate;seller.number_prefix\r\n"
        "hillside;Hillside;cars@hillside.example;north;meridian;production:20 handover:80;Hillside Ltd;"
        '"1 Hill\nDublin";X1;IE;Europe/Dublin;EUR;2300;HILLSIDE\r\n'
    ).encode("utf-8-sig")
    with database.begin() as work:
        files.put_dealerships(work, read_rows(raw, "dealers.CSV", files.DEALERSHIP_COLUMNS))
        (dealership,) = work.reference.dealerships()
        (seller,) = work.reference.sellers()
    assert dealership.models == ("meridian",)
    assert dealership.terms[1] == Term(before="handover", percent=80)
    assert seller.address == "1 Hill\nDublin"

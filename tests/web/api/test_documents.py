from __future__ import annotations

from io import BytesIO

from pypdf import PdfReader

from tests.web.api.life import API, brought, departed, paid, placed, seen
from tests.web.harness import Client

PDF = "application/pdf"


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


def test_the_latest_invoice_is_a_pdf(anyone: Client) -> None:
    order = placed(anyone, dealership="lakeside")
    path = f"{API}/orders/{order['id']}/invoice"
    assert anyone.get(f"{path}?key={order['key']}").status_code == 404
    for _ in range(2):
        brought(anyone, order, "order_arrived", dealer="dealer@lakeside")
        if not seen(anyone.as_("admin"), order["id"])["payment"]["paid"]:
            paid(anyone, order)
    latest = seen(anyone.as_("admin"), order["id"])["invoice"]
    assert latest["number"] == "LAKESIDE-2026-000002"
    answer = anyone.get(f"{latest['url']}?key={order['key']}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, PDF)
    assert answer.headers["content-disposition"] == 'inline; filename="LAKESIDE-2026-000002.pdf"'
    assert "LAKESIDE-2026-000002" in text_of(answer.content)
    assert "Ana Núñez" in text_of(answer.content)


def test_invoices_are_for_the_customer_the_dealership_and_administrators(anyone: Client) -> None:
    order = placed(anyone)
    brought(anyone, order, "production_started")
    listed = anyone.get(f"{API}/orders/{order['id']}/documents?key={order['key']}").json()
    (item,) = listed["items"]
    assert listed["next"] is None
    paths = [f"{API}/orders/{order['id']}/invoice", f"{API}/orders/{order['id']}/documents", item["url"]]
    for path in paths:
        assert anyone.get(path).status_code == 401, path
        assert anyone.get(f"{path}?key=0.wrong").status_code == 404, path
        assert anyone.get(f"{path}?key={order['key']}").status_code == 200, path
        assert anyone.as_("dealer@harbour").get(path).status_code == 404, path
        for who in ("dealer@northside", "admin"):
            assert anyone.as_(who).get(path).status_code == 200, path
        for who in ("production", "line-a", "quality", "delivery", "head1", "operator"):
            assert anyone.as_(who).get(path).status_code == 403, path
    assert anyone.as_("admin").get(f"{API}/documents/doc_unknown").status_code == 404
    assert anyone.get(f"{API}/documents/doc_unknown?key={order['key']}").status_code == 404
    assert anyone.get(f"{API}/documents/doc_unknown").status_code == 401


def test_an_order_that_is_not_processed_yet_has_no_documents_and_is_no_404_to_its_customer(
    anyone: Client,
) -> None:
    taken = anyone.place()
    path = f"{API}/orders/{taken['id']}/documents"
    answer = anyone.get(f"{path}?key={taken['key']}")
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None})
    assert anyone.get(f"{path}?key={taken['key']}&limit=0").status_code == 400
    assert anyone.get(f"{path}?key=0.wrong").status_code == 404
    assert anyone.as_("dealer@northside").get(path).status_code == 404


def test_a_void_key_opens_no_documents(anyone: Client) -> None:
    order = placed(anyone)
    assert anyone.as_("dealer@northside").post(f"{API}/orders/{order['id']}/link").status_code == 200
    assert anyone.get(f"{API}/orders/{order['id']}/documents?key={order['key']}").status_code == 404


def test_a_wrong_key_does_not_tell_whose_document_it_is(anyone: Client) -> None:
    order, other = placed(anyone), placed(anyone)
    brought(anyone, order, "production_started")
    url = anyone.as_("admin").get(f"{API}/orders/{order['id']}/documents").json()["items"][0]["url"]
    answer = anyone.get(f"{url}?key={other['key']}")
    assert answer.status_code == 404
    assert order["id"] not in answer.text


def test_a_document_is_given_as_json_or_pdf_and_not_twice(anyone: Client) -> None:
    order = placed(anyone)
    brought(anyone, order, "production_started")
    dealer = anyone.as_("dealer@northside")
    (item,) = dealer.get(f"{API}/orders/{order['id']}/documents").json()["items"]
    as_json = dealer.get(item["url"])
    assert as_json.headers["content-type"] == "application/json"
    document = as_json.json()
    assert {name: document[name] for name in ("id", "kind", "number", "order", "total")} == {
        "id": item["id"],
        "kind": "invoice",
        "number": "NORTHSIDE-2026-000001",
        "order": order["id"],
        "total": order["price"],
    }
    assert document["net"]["amount"] + document["tax"]["amount"] == document["total"]["amount"]
    assert document["buyer"]["name"] == "Ana Núñez"
    as_pdf = dealer.get(item["url"], accept=PDF)
    assert as_pdf.headers["content-type"] == PDF
    assert document["number"] in text_of(as_pdf.content)
    assert as_pdf.headers["etag"] != as_json.headers["etag"]
    for accept, etag in (("*/*", as_json.headers["etag"]), (PDF, as_pdf.headers["etag"])):
        kept = dealer.get(item["url"], accept=accept, if_none_match=etag)
        assert (kept.status_code, kept.content) == (304, b"")


def test_documents_come_in_pages(anyone: Client) -> None:
    order = placed(anyone, dealership="lakeside")
    brought(anyone, order, "order_arrived", dealer="dealer@lakeside")
    paid(anyone, order)
    path = f"{API}/orders/{order['id']}/documents?key={order['key']}&limit=1"
    first = anyone.get(path).json()
    second = anyone.get(f"{path}&cursor={first['next']}").json()
    numbers = [item["number"] for item in first["items"] + second["items"]]
    assert numbers == ["LAKESIDE-2026-000001", "LAKESIDE-2026-000002"]
    assert second["next"] is None
    assert anyone.get(f"{path}&cursor=x").status_code == 400


def test_each_dealership_of_a_load_gets_its_note(anyone: Client) -> None:
    north, south = placed(anyone), placed(anyone, dealership="harbour")
    brought(anyone, north, "quality_passed")
    brought(anyone, south, "quality_passed", dealer="dealer@harbour")
    load = departed(anyone, north["id"], south["id"])
    delivery = anyone.as_("delivery")
    notes = delivery.get(f"{API}/delivery-notes?load={load}").json()["items"]
    assert sorted(note["dealership"] for note in notes) == ["harbour", "northside"]
    (mine,) = anyone.as_("dealer@harbour").get(f"{API}/delivery-notes").json()["items"]
    vin = seen(delivery, south["id"])["vin"]
    assert mine["load"] == load
    assert mine["cars"] == [
        {
            "order": south["id"],
            "model": mine["cars"][0]["model"],
            "colour": mine["cars"][0]["colour"],
            "vin": vin,
            "customer": "Ana Núñez",
        }
    ]
    path = f"{API}/delivery-notes/{mine['id']}"
    assert anyone.as_("dealer@harbour").get(path).json() == mine
    printed = anyone.as_("dealer@harbour").get(path, accept=PDF)
    assert vin in text_of(printed.content)
    assert anyone.as_("dealer@northside").get(path).status_code == 404
    assert (
        anyone.as_("dealer@northside").get(f"{API}/delivery-notes?dealership=harbour").json()["items"] == []
    )
    assert len(delivery.get(f"{API}/delivery-notes?dealership=harbour").json()["items"]) == 1
    assert delivery.get(f"{API}/delivery-notes/dln_unknown").status_code == 404
    assert anyone.get(path).status_code == 401
    for who in ("production", "quality", "line-a", "head1", "operator"):
        assert anyone.as_(who).get(path).status_code == 403
        assert anyone.as_(who).get(f"{API}/delivery-notes").status_code == 403
    one = delivery.get(f"{API}/delivery-notes?limit=1").json()
    two = delivery.get(f"{API}/delivery-notes?limit=1&cursor={one['next']}").json()
    assert {note["id"] for note in one["items"] + two["items"]} == {note["id"] for note in notes}
    assert two["next"] is None

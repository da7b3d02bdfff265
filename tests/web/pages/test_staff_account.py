"""One's own account, and the accounts of one's dealership."""

from __future__ import annotations

from tests.web.harness import Client
from tests.web.pages.conftest import PersonOf
from tests.web.pages.people import Person, Shown

NEW = "correct horse battery"


def change(visitor: Person, current: str, password: str, again: str) -> Shown:
    form = visitor.get("/account").form("/account/password")
    return visitor.submit(form, ("current", current), ("password", password), ("again", again))


def test_a_new_password_ends_every_other_session(anyone: Client, person: PersonOf) -> None:
    here, elsewhere = person("quality"), person("quality")
    token = anyone.system.token("quality")
    done = change(here, "demo", NEW, NEW)
    assert "Your password is changed" in here.follow(done).text
    assert here.get("/board").status == 200
    assert elsewhere.get("/board").status == 303
    assert anyone.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert Person(anyone, "quality", NEW).get("/board").status == 200


def test_a_new_password_needs_the_present_one_and_some_length(person: PersonOf) -> None:
    visitor = person("quality")
    for typed, field in (
        (("wrong", NEW, NEW), "current"),
        (("demo", "short", "short"), "password"),
        (("demo", NEW, f"{NEW}!"), "again"),
    ):
        refused = change(visitor, *typed)
        assert (refused.status, f'id="{field}-fault"' in refused.html) == (422, True), typed
        assert NEW not in refused.html
    assert visitor.get("/board").status == 200


def test_guessing_the_present_password_ends_with_a_pause(person: PersonOf) -> None:
    visitor = person("quality")
    statuses = [change(visitor, f"guess {number}", NEW, NEW).status for number in range(12)]
    assert statuses[0] == 422
    assert statuses[-1] == 429


def test_the_language_of_the_account_is_changed(person: PersonOf) -> None:
    visitor = person("quality")
    page = visitor.get("/account")
    done = visitor.submit(page.form("/account/language"), ("language", "es"))
    assert '<html lang="es">' in visitor.follow(done).html
    wrong = visitor.submit(page.form("/account/language"), ("language", "tlh"))
    assert wrong.status == 422


def test_a_dealership_s_administrator_lets_a_colleague_in_and_out(anyone: Client, person: PersonOf) -> None:
    admin = person("dealer@northside")
    form = admin.get("/account").form("/account/colleagues", dealership="northside")
    typed = (("name", "Otto"), ("email", "Otto@northside.example"), ("role", "dealer"), ("password", NEW))
    done = admin.submit(form, *typed, ("language", "es"))
    assert "Otto can log in now" in admin.follow(done).text
    otto = Person(anyone, "otto@northside", NEW)
    assert otto.get("/incoming").status == 200
    assert otto.get("/account").forms[-1].action != "/account/colleagues"
    page = admin.get("/account")
    close = next(form for form in page.forms if form.action.endswith("/close"))
    assert "Otto can no longer log in" in admin.follow(admin.submit(close)).text
    assert otto.get("/incoming").status == 303
    again = next(form for form in admin.get("/account").forms if form.action.endswith("/open"))
    assert admin.submit(again).status == 303
    assert Person(anyone, "otto@northside", NEW).get("/incoming").status == 200


def test_a_wrong_colleague_is_named_with_every_fault(person: PersonOf) -> None:
    admin = person("dealer@northside")
    form = admin.get("/account").form("/account/colleagues", dealership="northside")
    wrong = admin.submit(
        form, ("name", " "), ("email", "nobody"), ("role", "dealer"), ("language", "en"), ("password", "x")
    )
    assert wrong.status == 422
    for field in ("name", "email", "password"):
        assert f'id="northside-{field}-fault"' in wrong.html
    taken = (
        ("name", "N"),
        ("email", "quality@factory.example"),
        ("role", "dealer"),
        ("language", "en"),
        ("password", NEW),
    )
    assert "has an account already" in admin.submit(form, *taken).text
    rising = admin.submit(form, *taken[:2], ("role", "admin"), *taken[3:])
    assert rising.status == 422


def test_accounts_elsewhere_are_out_of_reach(anyone: Client, person: PersonOf) -> None:
    admin = person("dealer@northside")
    form = admin.get("/account").form("/account/colleagues", dealership="northside")
    there = admin.submit(
        form, ("dealership", "harbour"), ("name", "N"), ("email", "n@example.com"), ("password", NEW)
    )
    assert there.status == 403
    with anyone.system.database.read() as work:
        accounts = {one.email: one.id for one in work.reference.accounts()}
    for email, status in (
        ("dealer@harbour.example", 404),
        ("operator@factory.example", 404),
        ("dealer@northside.example", 409),
    ):
        assert admin.submit(form, action=f"/account/colleagues/{accounts[email]}/close").status == status, (
            email
        )

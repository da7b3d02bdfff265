"""The operator's pages: queues, dead letters, mail; and webhooks."""

from __future__ import annotations

from pathlib import Path

from dealerflow.adapters.embedded.mail import Maildir
from dealerflow.adapters.embedded.mail_archive import MaildirArchive
from dealerflow.application.letters import OutgoingMail
from dealerflow.application.webhooks import subscribe_to_topic
from dealerflow.domain.messages import IssueInvoice
from dealerflow.web.pages.mail import policy_of_mail, styles_of
from dealerflow.web.pages.webhooks import WEBHOOKS_OF_A_PAGE
from tests.web.api.life import placed
from tests.web.harness import Client
from tests.web.pages.conftest import PersonOf


def bury_a_message(anyone: Client) -> str:
    """A message that no handler can work: there is no such payment."""
    with anyone.system.database.begin() as work:
        work.send("invoices", IssueInvoice(payment="pay_<b>nothing</b>"))
    for _ in range(20):
        anyone.system.drain("invoices")
        anyone.system.clock.pass_ms(3_600_000)
    found = anyone.system.store.dead_letters("invoices", limit=1)
    return found[0].id


def test_a_queue_is_paused_and_resumed(anyone: Client, person: PersonOf) -> None:
    anyone.system.store.declare(["invoices"])
    operator = person("operator")
    page = operator.get("/queues")
    assert "Everything flows" in page.text
    paused = operator.follow(operator.submit(page.form("/queues/invoices/pause")))
    assert "“invoices” is paused" in paused.text
    assert "One queue is paused." in paused.text
    assert not anyone.system.store.is_open("invoices", now=anyone.system.clock.now())
    resumed = operator.follow(operator.submit(paused.form("/queues/invoices/resume")))
    assert "Everything flows" in resumed.text


def test_the_queue_of_orders_counts_the_spool(anyone: Client, person: PersonOf) -> None:
    anyone.place()
    page = person("operator").get("/queues/orders")
    assert "Waiting 1" in page.text


def test_a_dead_letter_is_shown_with_its_error_and_offered_again(anyone: Client, person: PersonOf) -> None:
    dead = bury_a_message(anyone)
    operator = person("operator")
    assert "One message has failed for good" in operator.get("/queues").text
    page = operator.get("/queues/invoices")
    assert "IssueInvoice" in page.text
    assert "pay_<b>nothing</b>" in page.text
    assert "<b>nothing" not in page.html
    nothing = operator.submit(page.forms[-1])
    assert (nothing.status, "Choose at least one message." in nothing.text) == (422, True)
    again = operator.follow(operator.submit(page.forms[-1], ("ids", dead)))
    assert "Offered again: 1." in again.text
    assert anyone.system.store.dead_letters("invoices", limit=1) == []


def test_all_dead_letters_are_offered_again_at_once(anyone: Client, person: PersonOf) -> None:
    bury_a_message(anyone)
    bury_a_message(anyone)
    operator = person("operator")
    form = next(form for form in operator.get("/queues/invoices").forms if form.buttons == ["all"])
    assert "Offered again: 2." in operator.follow(operator.submit(form, ("all", "yes"))).text


def test_a_dead_letter_is_discarded_with_a_reason(anyone: Client, person: PersonOf) -> None:
    dead = bury_a_message(anyone)
    operator = person("operator")
    form = operator.get("/queues/invoices").forms[-1]
    silent = operator.submit(form, ("ids", dead), action="/queues/invoices/discard")
    assert (silent.status, "Say why" in silent.text) == (422, True)
    assert ("ids", dead) in silent.forms[-1].fields
    gone = operator.submit(form, ("ids", dead), ("reason", "a test"), action="/queues/invoices/discard")
    assert "Discarded: 1." in operator.follow(gone).text


def test_there_is_no_page_for_a_queue_that_is_not_there(person: PersonOf) -> None:
    assert person("operator").get("/queues/nothing").status == 404


# --- mail ---


def test_the_mail_log_leads_to_the_mails(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    operator = person("operator")
    log = operator.get(f"/mail?order={order}")
    assert "ana@example.com" in log.text
    assert "dealer@northside.example" in log.text
    assert "No mails" in operator.get("/mail?order=ord_nothing").text
    mails = [link for link in log.links if link.startswith("/mail/mal_")]
    assert len(mails) == 2
    assert "Hello Ana Núñez" in " ".join(operator.get(link).text for link in mails)
    assert operator.get("/mail/mal_nothing").status == 404


def test_a_mail_s_html_stands_in_a_frame_where_nothing_can_happen(anyone: Client, person: PersonOf) -> None:
    placed(anyone)
    operator = person("operator")
    link = next(link for link in operator.get("/mail").links if link.startswith("/mail/mal_"))
    page = operator.get(link)
    assert (
        f'<iframe class="mail-frame" sandbox title="The mail as its reader sees it" src="{link}/html">'
        in page.html
    )
    assert "frame-src 'self'" in page.answer.headers["content-security-policy"]
    framed = operator.get(f"{link}/html")
    [policy] = framed.answer.headers.get_list("content-security-policy")
    for rule in (
        "default-src 'none'",
        "; sandbox;",
        "frame-ancestors 'self'",
        "style-src 'unsafe-hashes' 'sha256-",
    ):
        assert rule in policy
    assert "'unsafe-inline'" not in policy
    assert person("dealer@northside").get(f"{link}/html").status == 403


def test_a_mail_that_is_not_kept_here_says_so(anyone: Client, person: PersonOf) -> None:
    anyone.system.mailer.is_down = True
    placed(anyone)
    operator = person("operator")
    link = next(link for link in operator.get("/mail").links if link.startswith("/mail/mal_"))
    assert "not kept here" in operator.get(link).text
    assert operator.get(f"{link}/html").status == 404


def test_an_attachment_is_saved_not_shown(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    dealer = person("dealer@northside")
    dealer.decides(order, "accept")
    dealer.submit(dealer.get(f"/board/{order}").form(f"/board/{order}/payments"))
    anyone.system.process()
    operator = person("operator")
    pages = [operator.get(link) for link in operator.get("/mail").links if link.startswith("/mail/mal_")]
    files = [link for page in pages for link in page.links if "/attachments/" in link]
    saved = operator.get(files[0]).answer
    assert saved.content.startswith(b"%PDF")
    assert saved.headers["content-disposition"] == 'attachment; filename="NORTHSIDE-2026-000001.pdf"'
    assert operator.get(files[0].replace("/0", "/7")).status == 404


def test_a_mail_s_policy_names_its_own_styles_only() -> None:
    html = '<p style="color:red">a</p><p style="color:red">b</p><td style="x:&quot;y&quot;">'
    assert styles_of(html) == ("color:red", 'x:"y"')
    assert policy_of_mail(html).count("'sha256-") == 2
    assert "style-src" not in policy_of_mail("<p>plain</p>")


def test_a_mail_is_found_in_the_maildir_before_and_after_it_is_read(tmp_path: Path) -> None:
    archive = MaildirArchive(tmp_path)
    assert archive.find("mal_1@example.org") is None
    mail = OutgoingMail(
        message_id="mal_1@example.org",
        to="a@example.org",
        sender="b@example.org",
        subject="Hi",
        text="Hello.\n",
        at=1000,
    )
    Maildir(tmp_path).send(mail)
    assert archive.find("mal_1@example.org") == mail
    (tmp_path / "new" / "mal_1@example.org").rename(tmp_path / "cur" / "mal_1@example.org:2,S")
    assert archive.find("mal_1@example.org") == mail
    assert archive.find("mal_2@example.org") is None


# --- webhooks ---


def test_a_webhook_s_secret_is_shown_once(anyone: Client, person: PersonOf) -> None:
    dealer = person("dealer@northside")
    form = dealer.get("/webhooks").form("/webhooks")
    typed = (("url", "https://example.com/hook"), ("types", "OrderMoved OrderPlaced"))
    made = dealer.submit(form, *typed, ("dealership", "northside"))
    assert (made.status, "whsec_" in made.text) == (201, True)
    page = dealer.get("/webhooks")
    assert "https://example.com/hook" in page.text
    assert "whsec_" not in page.html
    assert "https://example.com/hook" not in person("dealer@harbour").get("/webhooks").text
    link = next(link for link in page.links if link.startswith("/webhooks/"))
    assert person("dealer@harbour").get(link).status == 404


def test_webhooks_beyond_the_first_page_are_found_on_the_next(anyone: Client, person: PersonOf) -> None:
    with anyone.system.database.begin() as work:
        for number in range(WEBHOOKS_OF_A_PAGE + 1):
            subscribe_to_topic(work, "quality-alerts", f"https://example.com/{number}", "whsec_")
    operator = person("operator")
    first = operator.get("/webhooks")
    last = f"https://example.com/{WEBHOOKS_OF_A_PAGE}"
    assert last not in first.text
    (more,) = (link for link in first.links if link.startswith("/webhooks?cursor="))
    second = operator.get(more)
    assert last in second.text
    assert "https://example.com/0" not in second.text
    assert 'rel="next"' not in second.html


def test_a_wrong_webhook_says_what_is_wrong(person: PersonOf) -> None:
    dealer = person("dealer@northside")
    form = dealer.get("/webhooks").form("/webhooks")
    for typed, field in (
        (("url", "ftp://example.com"), "url"),
        (("types", "not an event!"), "types"),
        (("dealership", "harbour"), "dealership"),
    ):
        whole = {"url": "https://example.com/", "types": "", "dealership": "northside", typed[0]: typed[1]}
        refused = dealer.submit(form, *whole.items())
        assert (refused.status, f'id="{field}-fault"' in refused.html) == (422, True), typed


def test_what_was_posted_is_logged_and_posted_again(anyone: Client, person: PersonOf) -> None:
    operator = person("operator")
    form = operator.get("/webhooks").form("/webhooks")
    operator.submit(form, ("url", "https://example.com/hook"), ("dealership", ""))
    placed(anyone)
    link = next(link for link in operator.get("/webhooks").links if link.startswith("/webhooks/"))
    log = operator.get(link)
    assert "OrderPlaced" in log.text
    assert "Delivered" in log.text
    posted = len(anyone.system.postbox.posted)
    again = next(form for form in log.forms if form.action.endswith("/resend"))
    assert operator.submit(again).status == 303
    anyone.system.process()
    assert len(anyone.system.postbox.posted) == posted + 1
    ended = operator.submit(operator.get("/webhooks").form(f"{link}/end"))
    assert "No address is subscribed yet" in operator.follow(ended).text

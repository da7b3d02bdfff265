"""The mail log, and the mails themselves where they are kept.

A mail's HTML is shown in a frame of its own: no scripts, no forms, nothing loaded, and no other page may frame it.
"""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from urllib.parse import urlencode

import msgspec
from litestar import Response

from dealerflow.application.letters import OutgoingMail
from dealerflow.application.mail_log import LoggedMail
from dealerflow.domain.errors import NotFound
from dealerflow.domain.ids import short_number
from dealerflow.web.pages.frame import HtmlResponse, Visit, get
from dealerflow.web.paging import cursor_of, paging, text
from dealerflow.web.security import CONTENT_SECURITY_POLICY

MAILS_OF_A_PAGE = 30
NAMED_STYLES = 200  # different styles of one mail that its policy names


class MailRow(msgspec.Struct, frozen=True, kw_only=True):
    """One mail in the log."""

    mail: LoggedMail
    order_short: str | None


class MailsView(msgspec.Struct, frozen=True, kw_only=True):
    """Part of the log, the newest first. `order`: only what is about this order."""

    mails: tuple[MailRow, ...]
    order: str
    next_url: str | None


class MailView(msgspec.Struct, frozen=True, kw_only=True):
    """One mail. `content` None: it is not kept here. `attachments` are (name, KiB) pairs."""

    mail: LoggedMail
    content: OutgoingMail | None
    attachments: tuple[tuple[str, int], ...]


@get("/mail")
def mails(visit: Visit) -> HtmlResponse:
    """The log."""
    visit.require("operator")
    page, order = paging(visit.request, order="mail"), text(visit.request, "order")
    before = page.cursor[0] if page.cursor else None
    found = visit.system.mails.page(order=order, limit=MAILS_OF_A_PAGE + 1, before=before)
    shown = found[:MAILS_OF_A_PAGE]
    more = None
    if len(found) > len(shown):
        more = {"cursor": cursor_of(shown[-1].id, order="mail"), **({"order": order} if order else {})}
    view = MailsView(
        mails=tuple(
            MailRow(mail=one, order_short=short_number(one.order) if one.order else None) for one in shown
        ),
        order=order or "",
        next_url=f"/mail?{urlencode(more)}" if more else None,
    )
    return visit.show("mails.html", view, place="mail")


@get("/mail/{mail_id:str}")
def mail(visit: Visit, mail_id: str) -> HtmlResponse:
    """One mail."""
    visit.require("operator")
    logged = visit.system.mails.one(mail_id)
    if logged is None:
        raise NotFound(f"there is no mail {mail_id}")
    content = _content(visit, mail_id)
    parts = content.attachments if content else ()
    view = MailView(
        mail=logged,
        content=content,
        attachments=tuple((part.name, max(1, len(part.content) // 1024)) for part in parts),
    )
    response = visit.show("mail.html", view, place="mail")
    if content is not None and content.html:
        response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return response


@get("/mail/{mail_id:str}/html")
def mail_html(visit: Visit, mail_id: str) -> HtmlResponse:
    """The HTML of one mail, for the frame on its page."""
    visit.require("operator")
    content = _content(visit, mail_id)
    if content is None or not content.html:
        raise NotFound(f"the HTML of mail {mail_id} is not kept here")
    headers = {"Content-Security-Policy": policy_of_mail(content.html)}
    return Response(
        content.html.encode(), status_code=200, media_type="text/html; charset=utf-8", headers=headers
    )


@get("/mail/{mail_id:str}/attachments/{number:str}")
def attachment(visit: Visit, mail_id: str, number: str) -> HtmlResponse:
    """What was sent with it, to be saved."""
    visit.require("operator")
    content = _content(visit, mail_id)
    parts = {str(place): part for place, part in enumerate(content.attachments if content else ())}
    if number not in parts:
        raise NotFound(f"mail {mail_id} has no such attachment")
    part = parts[number]
    name = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in part.name
    )
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(part.content, status_code=200, media_type="application/octet-stream", headers=headers)


def policy_of_mail(html: str) -> str:
    """A content security policy under which exactly this mail's own styles are used, and nothing else happens."""
    sources = " ".join(f"'sha256-{_digest(style)}'" for style in styles_of(html))
    styles = f"style-src 'unsafe-hashes' {sources}; " if sources else ""
    return f"default-src 'none'; {styles}sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"


def styles_of(html: str) -> tuple[str, ...]:
    """The different style attributes in the HTML."""
    found = _Styles()
    found.feed(html)
    return tuple(found.styles)[:NAMED_STYLES]


class _Styles(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.styles: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - as its base says
        for name, value in attrs:
            if name == "style" and value:
                self.styles[value] = None


def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _content(visit: Visit, mail_id: str) -> OutgoingMail | None:
    return visit.system.archive.find(f"{mail_id}@{visit.system.links.mail_domain}")


ROUTES = (mails, mail, mail_html, attachment)

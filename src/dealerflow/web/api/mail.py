"""The mail log."""

from __future__ import annotations

import msgspec
from litestar import Response

from dealerflow.application.access import require
from dealerflow.application.mail_log import LoggedMail
from dealerflow.application.views import moment, moment_or_none
from dealerflow.web.auth import caller_of
from dealerflow.web.body import respond
from dealerflow.web.paging import cursor_of, paging, text
from dealerflow.web.routes import PAGING, Query, get
from dealerflow.web.system import HttpRequest, system_of


class MailItem(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to one recipient. `status` queued, sent or refused; `subject` is null until it is written."""

    id: str
    to: str
    subject: str | None
    template: str
    status: str
    at: str
    order: str | None
    sent_at: str | None


class MailList(msgspec.Struct, frozen=True, kw_only=True):
    """Mails, the newest first."""

    items: tuple[MailItem, ...]
    next: str | None = None


@get(
    "/mail",
    answers={200: MailList},
    query=(Query(name="order", text="only mails about this order: its id or short number"), *PAGING),
)
def mail(request: HttpRequest) -> Response[bytes]:
    """The mails that were asked for, and whether they were sent."""
    require(caller_of(request), "operator")
    page = paging(request)
    before = page.cursor[0] if page.cursor else None
    found = system_of(request).mails.page(order=text(request, "order"), limit=page.limit + 1, before=before)
    more = cursor_of(found[page.limit - 1].id) if len(found) > page.limit else None
    return respond(MailList(items=tuple(map(_item, found[: page.limit])), next=more))


def _item(one: LoggedMail) -> MailItem:
    return MailItem(
        id=one.id,
        to=one.to,
        subject=one.subject,
        template=one.template,
        status=one.status,
        at=moment(one.at),
        order=one.order,
        sent_at=moment_or_none(one.sent_at),
    )


ROUTES = (mail,)

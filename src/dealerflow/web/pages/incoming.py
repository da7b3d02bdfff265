"""A dealership's day: orders to answer, cars on their way, cars to hand over, and the notes that came with them."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from litestar import Response

from dealerflow.application.queries import OrderFilter, PageRequest
from dealerflow.application.views import DeliveryNoteView
from dealerflow.domain.errors import NotFound
from dealerflow.pipeline.definition import State, text_in
from dealerflow.web.pages.cards import Cards, OrderCard
from dealerflow.web.pages.decisions import duties
from dealerflow.web.pages.frame import HtmlResponse, Visit, get
from dealerflow.web.pages.staff_order import pdf

MOST_IN_A_SECTION = 12
MOST_COUNTED = 1_000
MOST_NOTES = 10
DEALERS = ("dealer", "dealer_admin")
NOTE_READERS = ("delivery_lead", "admin")


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A state in which the dealership is waited for. `url` leads to all of it."""

    state: str
    title: str
    count: str
    cards: tuple[OrderCard, ...]
    url: str
    more: bool


class IncomingView(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for the dealership, and its latest delivery notes."""

    sections: tuple[Section, ...]
    notes: tuple[DeliveryNoteView, ...]


@get("/incoming")
def incoming(visit: Visit) -> HtmlResponse:
    """What this person's dealerships have to do."""
    visit.require(*DEALERS)
    caller = visit.caller()
    states = [
        state for state in visit.system.pipelines.current.states.values() if duties(state, frozenset(DEALERS))
    ]
    own = None if "" in caller.dealerships else caller.dealerships
    notes = visit.system.queries.loads.notes(None, own, PageRequest(limit=MOST_NOTES))
    view = IncomingView(sections=tuple(_section(visit, state) for state in states), notes=notes.items)
    return visit.show("incoming.html", view, place="incoming")


@get("/delivery-notes/{note_id:str}")
def delivery_note(visit: Visit, note_id: str) -> Response[bytes]:
    """A delivery note as PDF: for the dealership that it is for, and for those who send cars off."""
    visit.require(*DEALERS, *NOTE_READERS)
    caller = visit.caller()
    note = visit.system.queries.loads.note(note_id)
    own = note is not None and bool({note.dealership, ""} & caller.dealerships)
    if note is None or not (own or caller.has(*NOTE_READERS)):
        raise NotFound(f"there is no delivery note {note_id}")
    return pdf(visit.system.printer.delivery_note(note), note.id)


def _section(visit: Visit, state: State) -> Section:
    wanted, reader = OrderFilter(states=(state.name,)), visit.reader()
    page = visit.system.queries.orders.many(reader, wanted, PageRequest(limit=MOST_IN_A_SECTION))
    count = len(page.items)
    if page.next:
        count = visit.system.queries.orders.count(reader, wanted, MOST_COUNTED)
    cards = Cards(visit, back="/incoming")
    return Section(
        state=state.name,
        title=text_in(state.title, visit.language),
        count=f"{count}+" if count >= MOST_COUNTED else str(count),
        cards=tuple(cards.card(order) for order in page.items),
        url=f"/board?{urlencode({'state': state.name})}",
        more=page.next is not None,
    )


ROUTES = (incoming, delivery_note)

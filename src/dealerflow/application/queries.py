"""The ports through which everything is read, and what they are asked with.

Whatever is given is what this reader may see: an object outside the reader's scope does not exist (NotFound), and
lists leave it out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, Protocol, TypeVar

import msgspec

from dealerflow.application.views import (
    DeliveryNoteView,
    DeliveryView,
    DocumentItem,
    EventView,
    FiguresView,
    LineView,
    LoadView,
    OrderView,
    WebhookView,
)
from dealerflow.domain.billing import Document
from dealerflow.domain.languages import FALLBACK
from dealerflow.domain.people import Caller
from dealerflow.domain.shipping import DeliveryNote

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

SORTS = ("placed_at", "-placed_at", "entered_at", "-entered_at")
"""How orders may be sorted; "-" is newest first."""


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads, and in which language (None: the account's, or the customer's)."""

    caller: Caller
    language: str | None = None

    def language_for(self, customer: str = FALLBACK) -> str:
        """The language of texts; `customer` is that of the order's customer."""
        if self.language:
            return self.language
        return self.caller.account.language if self.caller.account else customer


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list: at most `limit`, behind the row with the key `after` (the values of the list's sort)."""

    limit: int = DEFAULT_LIMIT
    after: tuple[int | str, ...] | None = None


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Part of a list. `next` is the key of its last row if there are more behind it."""

    items: tuple[T, ...]
    next: tuple[int | str, ...] | None = None


# --- orders ---


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders, all conditions together. `line` with only waiting states is its queue: what it can build.

    `q` finds an order's id, a VIN, or the beginning of a customer's e-mail address, name or last names. `sort` is
    one of `SORTS`; by default those that wait longest come first where a state is named, else the newest.
    """

    states: tuple[str, ...] = ()
    dealership: str | None = None
    line: str | None = None
    model: str | None = None
    load: str | None = None
    q: str | None = None
    sort: str | None = None

    @property
    def order(self) -> str:
        """The sort that holds."""
        return self.sort or ("entered_at" if self.states else "-placed_at")


class OrderQueries(Protocol):
    """Orders."""

    def one(self, reader: Reader, order_id: str) -> OrderView:
        """With its history. Raises NotFound."""

    def many(self, reader: Reader, wanted: OrderFilter, page: PageRequest) -> Page[OrderView]:
        """Without history. A page costs the same few statements however many orders are on it.

        Raises Malformed for a state that the pipeline does not have, naming those that it has.
        """

    def is_stored(self, order_id: str) -> bool:
        """Whether the order was processed, whoever may see it."""

    def count(self, reader: Reader, wanted: OrderFilter, most: int) -> int:
        """How many orders there are, counted up to `most`."""


# --- documents ---


class DocumentQueries(Protocol):
    """Invoices and credit notes. Not everybody who sees an order may see its documents: the routes say who."""

    def of_order(self, order_id: str, page: PageRequest) -> Page[DocumentItem]:
        """Oldest first."""

    def latest_invoice(self, order_id: str) -> Document | None: ...

    def one(self, document_id: str) -> tuple[Document, str] | None:
        """The document and its dealership."""


# --- loads ---


class LoadQueries(Protocol):
    """Loads and delivery notes."""

    def many(
        self, reader: Reader, status: str | None, plants: Collection[str] | None, page: PageRequest
    ) -> Page[LoadView]:
        """Newest first. `plants` None: of every plant."""

    def one(self, reader: Reader, load_id: str, plants: Collection[str] | None) -> LoadView:
        """Raises NotFound."""

    def notes(
        self, load: str | None, dealerships: Collection[str] | None, page: PageRequest
    ) -> Page[DeliveryNoteView]:
        """Newest first. `dealerships` None: of all."""

    def note(self, note_id: str) -> DeliveryNote | None: ...


# --- what happened ---


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events. `dealerships` None: of all, and those of none."""

    types: tuple[str, ...] = ()
    order: str | None = None
    dealerships: frozenset[str] | None = None

    def covers(self, event: EventView) -> bool:
        """Whether this event is wanted."""
        own = self.dealerships is None or event.dealership in self.dealerships
        return own and (not self.types or event.type in self.types) and self.order in (None, event.order)


class EventsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events by position. Everything up to position `last` has been looked at; `more`: there is more behind it."""

    items: tuple[EventView, ...]
    last: int
    more: bool


class EventQueries(Protocol):
    """Events that have their position."""

    def after(self, position: int, wanted: EventFilter, limit: int) -> EventsPage:
        """The next events behind this position, oldest first. A short page, even an empty one, can have `more`."""

    def position_of(self, event: str, dealerships: frozenset[str] | None) -> int | None:
        """Of the event with this id; None if these dealerships (None: all) have none with a position."""

    def last_position(self) -> int:
        """Of the newest event; 0 if there is none."""


# --- figures ---


class FigureQueries(Protocol):
    """How the factory flows."""

    def figures(self, language: str) -> FiguresView:
        """Of the last 90 days. What it looks at is bounded, however old the installation is (but for counting)."""

    def lines(self) -> list[LineView]:
        """Every assembly line with its queue's length, by id."""


# --- webhooks ---


class WebhookQueries(Protocol):
    """Subscriptions and their delivery log."""

    def many(self, owners: Collection[str] | None, page: PageRequest) -> Page[WebhookView]:
        """The active ones, by id. `owners` are dealerships, "" the factory; None: all."""

    def deliveries(self, webhook_id: str, status: str | None, page: PageRequest) -> Page[DeliveryView]:
        """Newest first."""


class Queries(Protocol):
    """Everything that can be read. All raise Outage when the database is away."""

    @property
    def orders(self) -> OrderQueries: ...

    @property
    def documents(self) -> DocumentQueries: ...

    @property
    def loads(self) -> LoadQueries: ...

    @property
    def events(self) -> EventQueries: ...

    @property
    def figures(self) -> FigureQueries: ...

    @property
    def webhooks(self) -> WebhookQueries: ...

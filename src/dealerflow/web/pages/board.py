"""The board: the orders that a person sees, in columns made from the pipeline, with the moves that are theirs."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

from dealerflow.application.queries import OrderFilter, PageRequest
from dealerflow.domain.languages import in_language
from dealerflow.domain.people import SCOPE_OF, Caller
from dealerflow.pipeline.definition import Pipeline, State, text_in
from dealerflow.web.pages.cards import Cards, OrderCard
from dealerflow.web.pages.decisions import duties
from dealerflow.web.pages.frame import HtmlResponse, Visit, get
from dealerflow.web.paging import choice, cursor_of, paging, text

CARDS_OF_MINE = 12  # in a column with forms; the rest is a page of its own
CARDS_OF_ALL = 8
CARDS_OF_A_LIST = 20
MOST_COUNTED = 1_000
MOST_IN_A_MENU = 60  # dealerships; with more, their id is typed

MINE, ALL = "mine", "all"
_LIST = "board"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A state with its oldest orders. `line`: only what stands on this line. `count` in words, up to a limit."""

    state: str
    title: str
    line: str | None
    count: str
    cards: tuple[OrderCard, ...]
    url: str
    more: bool


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and what can be. Choices are (value, title) pairs; None: too many for a menu."""

    view: str
    state: str
    q: str
    dealership: str
    model: str
    line: str
    states: tuple[tuple[str, str], ...]
    dealerships: tuple[tuple[str, str], ...] | None
    models: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]

    @property
    def any(self) -> bool:
        """Whether something narrows the board."""
        return bool(self.q or self.dealership or self.model or self.line or self.state)


class BoardView(msgspec.Struct, frozen=True, kw_only=True):
    """The board as columns, or (for one state, or a search) as one list."""

    filters: Filters
    has_work: bool
    mine_url: str
    all_url: str
    columns: tuple[Column, ...] = ()
    cards: tuple[OrderCard, ...] = ()
    is_list: bool = False
    title: str = ""
    next_url: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the address asks for."""

    view: str
    state: str | None = None
    q: str | None = None
    dealership: str | None = None
    model: str | None = None
    line: str | None = None

    def orders(self, state: str | None, line: str | None = None) -> OrderFilter:
        """The orders of one column."""
        return OrderFilter(
            states=(state,) if state else (),
            dealership=self.dealership,
            model=self.model,
            line=line or self.line,
            q=self.q,
        )

    def url(self, **other: str | None) -> str:
        """The board's address with this changed."""
        fields = {**msgspec.structs.asdict(self), **other}
        given = {name: value for name, value in fields.items() if value}
        return f"/board?{urlencode(given)}" if given else "/board"


@get("/board")
def board(visit: Visit) -> HtmlResponse:
    """My work, everything, one state, or what a search finds."""
    visit.require()
    caller, pipeline = visit.caller(), visit.system.pipelines.current
    mine = list(work_of(pipeline, caller))
    asked = _asked(visit, MINE if mine else ALL)
    view = BoardView(
        filters=_filters(visit, asked, pipeline),
        has_work=bool(mine),
        mine_url=asked.url(view=MINE, state=None),
        all_url=asked.url(view=ALL, state=None),
    )
    if asked.state or asked.q:
        return visit.show("board.html", _list(visit, view, asked, pipeline), place="board")
    if asked.view == MINE:
        columns = [_column(visit, asked, state, line, CARDS_OF_MINE) for state, line in mine]
    else:
        columns = [_column(visit, asked, state, None, CARDS_OF_ALL) for state in pipeline.states.values()]
    return visit.show("board.html", msgspec.structs.replace(view, columns=tuple(columns)), place="board")


def work_of(pipeline: Pipeline, caller: Caller) -> Iterator[tuple[State, str | None]]:
    """The states in which the caller is waited for, with the line where only the own line's cars wait."""
    roles = roles_of(caller)
    for state in pipeline.states.values():
        deciding = {role for outcome in duties(state, roles) for role in outcome.by} & roles
        if deciding:
            yield from ((state, line) for line in own_lines(caller, deciding))


def roles_of(caller: Caller) -> frozenset[str]:
    """The caller's roles; who administers a dealership does a dealer's work too."""
    held = caller.account.roles() if caller.account else frozenset[str]()
    return held | {"dealer"} if "dealer_admin" in held else held


def own_lines(caller: Caller, roles: set[str]) -> tuple[str | None, ...]:
    """The lines to which these roles of the caller are bound; None: to none."""
    if any(SCOPE_OF.get(role) != "line" for role in roles):
        return (None,)
    lines = {line for role in roles for line in caller.scopes(role)}
    return (None,) if "" in lines else tuple(sorted(lines))


def _asked(visit: Visit, usual: str) -> Asked:
    request = visit.request
    return Asked(
        view=choice(request, "view", (MINE, ALL), usual) or usual,
        state=text(request, "state"),
        q=(text(request, "q") or "").strip() or None,
        dealership=text(request, "dealership"),
        model=text(request, "model"),
        line=text(request, "line"),
    )


def _column(visit: Visit, asked: Asked, state: State, line: str | None, most: int) -> Column:
    wanted = asked.orders(state.name, line)
    reader = visit.reader()
    found = visit.system.queries.orders.many(reader, wanted, PageRequest(limit=most))
    cards = Cards(visit, back=asked.url())
    count = len(found.items)
    if found.next:
        count = visit.system.queries.orders.count(reader, wanted, MOST_COUNTED)
    return Column(
        state=state.name,
        title=text_in(state.title, visit.language),
        line=line,
        count=f"{count}+" if count >= MOST_COUNTED else str(count),
        cards=tuple(cards.card(order) for order in found.items),
        url=asked.url(state=state.name, line=line or asked.line),
        more=found.next is not None,
    )


def _list(visit: Visit, view: BoardView, asked: Asked, pipeline: Pipeline) -> BoardView:
    page = paging(visit.request, order=_LIST, kinds=(int, str))
    found = visit.system.queries.orders.many(
        visit.reader(), asked.orders(asked.state), PageRequest(limit=CARDS_OF_A_LIST, after=page.cursor)
    )
    cards = Cards(visit, back=asked.url())
    state = pipeline.states.get(asked.state or "")
    more = asked.url()
    if found.next:
        more += f"&{urlencode({'cursor': cursor_of(*found.next, order=_LIST)})}"
    return msgspec.structs.replace(
        view,
        is_list=True,
        title=text_in(state.title, visit.language) if state else asked.state or "",
        cards=tuple(cards.card(order) for order in found.items),
        next_url=more if found.next else None,
    )


def _filters(visit: Visit, asked: Asked, pipeline: Pipeline) -> Filters:
    language, caller = visit.language, visit.caller()
    snapshot = visit.system.intake.snapshot
    known = snapshot.dealerships.values() if snapshot else ()
    own = [one for one in known if caller.sees_every_order or one.id in caller.dealerships]
    with visit.system.database.read() as work:
        lines = work.factory.lines()
    return Filters(
        view=asked.view,
        state=asked.state or "",
        q=asked.q or "",
        dealership=asked.dealership or "",
        model=asked.model or "",
        line=asked.line or "",
        states=tuple((state.name, text_in(state.title, language)) for state in pipeline.states.values()),
        dealerships=tuple((one.id, one.name) for one in own) if len(own) <= MOST_IN_A_MENU else None,
        models=tuple((model.code, in_language(model.title, language)) for model in snapshot.catalogue.models)
        if snapshot
        else (),
        lines=tuple((line.id, line.name) for line in lines) if caller.sees_every_order else (),
    )


ROUTES = (board,)

"""Where the boxes and arrows of a pipeline's picture go.

The usual way (the first outcome of each state) runs down the left in one column; all other states stand in a
second column, beside the state that leads to them first. An arrow to the next box goes straight down. All
others run through the channel between the columns: each has a height (slot) of its own in the rows that it
meets, and its upright part a lane in which it meets no other. So no arrow crosses a box or hides another,
whatever the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dealerflow.pipeline.definition import Move, Pipeline

MAIN, SIDE = 0, 1


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A state's box: its column (`MAIN` or `SIDE`) and its row from the top."""

    column: int
    row: int


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Where an arrow meets a box on the channel's side: `slot` counts from the top of the row."""

    column: int
    row: int
    slot: int


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """One move. Without ends it goes straight down to the box below.

    Where begin and end have one height it runs straight across; else `lane` is the place of its upright part.
    """

    move: Move
    begin: End | None = None
    end: End | None = None
    lane: int | None = None


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The whole picture. `slots` says for each row how many arrows meet it from the channel."""

    cells: dict[str, Cell]
    arrows: tuple[Arrow, ...]
    slots: tuple[int, ...]
    lanes: int


def lay_out(pipeline: Pipeline) -> Layout:
    """The same picture each time for the same pipeline."""
    cells = _cells(pipeline)
    rows = _Rows(cells)
    arrows = [rows.arrow(move) for move in _from_the_top(pipeline, cells)]
    lanes = _lanes(arrows)
    return Layout(
        cells=cells,
        arrows=tuple(
            msgspec.structs.replace(arrow, lane=lanes.get(number)) for number, arrow in enumerate(arrows)
        ),
        slots=tuple(rows.slots),
        lanes=1 + max(lanes.values(), default=-1),
    )


def _cells(pipeline: Pipeline) -> dict[str, Cell]:
    cells = {name: Cell(column=MAIN, row=row) for row, name in enumerate(_usual_way(pipeline))}
    taken: set[int] = set()
    for name in _breadth_first(pipeline):
        if name not in cells:
            row = max((cells[move.source].row for move in _leading_to(pipeline, name, cells)), default=0)
            while row in taken:
                row += 1
            taken.add(row)
            cells[name] = Cell(column=SIDE, row=row)
    return {name: cells[name] for name in pipeline.states}


def _usual_way(pipeline: Pipeline) -> list[str]:
    way, name = [], pipeline.start
    while name not in way:
        way.append(name)
        outcomes = pipeline.states[name].outcomes
        name = next(iter(outcomes.values())).to if outcomes else name
    return way


def _breadth_first(pipeline: Pipeline) -> list[str]:
    found = [pipeline.start]
    for name in found:  # grows while it is walked
        for outcome in pipeline.states[name].outcomes.values():
            if outcome.to not in found:
                found.append(outcome.to)
    return found


def _leading_to(pipeline: Pipeline, name: str, cells: dict[str, Cell]) -> Iterator[Move]:
    return (move for move in pipeline.moves() if move.outcome.to == name and move.source in cells)


def _from_the_top(pipeline: Pipeline, cells: dict[str, Cell]) -> list[Move]:
    """Moves whose far end is higher get the higher slots of a row, which saves crossings."""
    return sorted(pipeline.moves(), key=lambda move: cells[move.source].row + cells[move.outcome.to].row)


class _Rows:
    """Gives each arrow a slot in the rows that it meets."""

    def __init__(self, cells: dict[str, Cell]) -> None:
        self._cells = cells
        self._straight: set[tuple[str, str]] = set()
        self.slots = [0] * (1 + max(cell.row for cell in cells.values()))

    def arrow(self, move: Move) -> Arrow:
        """Straight down to the box below, if no arrow goes there yet; else through the channel."""
        ways = (move.source, move.outcome.to)
        begin, end = (self._cells[name] for name in ways)
        if begin.column == end.column and begin.row + 1 == end.row and ways not in self._straight:
            self._straight.add(ways)
            return Arrow(move=move)
        first = self._take(begin)
        across = begin.row == end.row and begin.column != end.column
        last = End(column=end.column, row=end.row, slot=first.slot) if across else self._take(end)
        return Arrow(move=move, begin=first, end=last)

    def _take(self, cell: Cell) -> End:
        self.slots[cell.row] += 1
        return End(column=cell.column, row=cell.row, slot=self.slots[cell.row] - 1)


def _lanes(arrows: list[Arrow]) -> dict[int, int]:
    """Lanes by the arrow's number. Short uprights first, each into the first lane where it meets no other."""
    lanes: list[list[tuple[float, float]]] = []
    given: dict[int, int] = {}
    for top, bottom, number in sorted(_uprights(arrows), key=lambda upright: upright[1] - upright[0]):
        lane = next((n for n, used in enumerate(lanes) if _free(used, top, bottom)), len(lanes))
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append((top, bottom))
        given[number] = lane
    return given


def _uprights(arrows: list[Arrow]) -> Iterator[tuple[float, float, int]]:
    for number, arrow in enumerate(arrows):
        if arrow.begin is None or arrow.end is None:
            continue
        top, bottom = sorted(place.row + place.slot / 1000 for place in (arrow.begin, arrow.end))
        if top < bottom:
            yield top, bottom, number


def _free(used: list[tuple[float, float]], top: float, bottom: float) -> bool:
    return all(bottom < other_top or other_bottom < top for other_top, other_bottom in used)

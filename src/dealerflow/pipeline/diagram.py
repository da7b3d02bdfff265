"""Pictures of a pipeline: SVG for pages and the README, Mermaid for documents, text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from dealerflow.pipeline.definition import Action, Move, Outcome, Pipeline, State, text_in
from dealerflow.pipeline.layout import MAIN, SIDE, Arrow, End, Layout, lay_out

# Words with a meaning of their own in Mermaid's state diagrams. A state of that name gets another one there,
# with a capital letter, which no state of a pipeline can have.
MERMAID_WORDS = (
    "accdescr",
    "acctitle",
    "as",
    "class",
    "classdef",
    "click",
    "constructor",
    "default",
    "direction",
    "end",
    "hide",
    "note",
    "root",
    "scale",
    "state",
    "statediagram",
    "style",
)

# Pixels.
BOX_WIDTH = 208
TEXT_HEIGHT = 18
SLOT = 26
GAP = 54  # between rows, room for an arrow and its label
LANE = 18
MARGIN = 16
LABEL_HEIGHT = 20
LETTER = 6.6  # an average letter of the labels' size, on the generous side
TITLE_LETTER = 7.6
LABEL_LETTERS = 28  # what a label as wide as a box has room for

# One set of colours for light and dark pages: boxes and labels bring their own ground, and the lines' grey
# has a contrast of at least 3:1 to white and to near-black (WCAG 2.2, 1.4.11). No style sheet: attributes
# pass the strictest content security policy.
LINE = "#76808f"
BOX, BOX_EDGE, INK, QUIET = "#f3f5f8", "#76808f", "#1b2430", "#4d5868"
END_BOX = "#dfe5ec"
START_EDGE = "#1f5fa8"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def mermaid(pipeline: Pipeline, language: str = "en") -> str:
    """A Mermaid state diagram, as GitHub and others draw it from a ```mermaid block."""
    lines = ["stateDiagram-v2"]
    lines += [
        f'    state "{_mermaid_text(text_in(state.title, language))}" as {_mermaid_name(state.name)}'
        for state in pipeline.states.values()
    ]
    lines.append(f"    [*] --> {_mermaid_name(pipeline.start)}")
    lines += [
        f"    {_mermaid_name(move.source)} --> {_mermaid_name(move.outcome.to)} : "
        + _mermaid_text(text_in(move.outcome.title, language))
        for move in pipeline.moves()
    ]
    lines += [f"    {_mermaid_name(state.name)} --> [*]" for state in pipeline.states.values() if state.final]
    return "\n".join(lines) + "\n"


def _mermaid_name(name: str) -> str:
    return f"State_{name}" if name in MERMAID_WORDS else name


def _mermaid_text(text: str) -> str:
    """Mermaid has entities of its own: `#59;` for a semicolon."""
    return "".join(f"#{ord(letter)};" if letter in '#;:"<>&{}[]%\\`' else letter for letter in text)


def text(pipeline: Pipeline, language: str = "en") -> str:
    """The pipeline in plain text: each state, what happens on entering it and what can be decided there."""
    lines = [f"{pipeline.name}, version {pipeline.version} ({pipeline.id})"]
    for state in pipeline.states.values():
        lines += ["", *_state_lines(pipeline, state, language)]
    return "\n".join(lines) + "\n"


def _state_lines(pipeline: Pipeline, state: State, language: str) -> Iterator[str]:
    marks = [
        mark
        for mark, holds in [
            ("start", state.name == pipeline.start),
            ("end", state.final),
            ("no payments", state.payments == "closed"),
            ("holds its place on the line", state.holds_place),
        ]
        if holds
    ]
    yield f"{state.name}  {text_in(state.title, language)}" + (f"  ({', '.join(marks)})" if marks else "")
    for effect in state.effects:
        yield f"    on entry: {effect}"
    for action in state.actions:
        yield f"    on entry: {_action_text(action)}"
    for outcome in state.outcomes.values():
        yield f"    {outcome.name} -> {outcome.to}  {_outcome_text(outcome)}"


def _action_text(action: Action) -> str:
    letter = f" ({action.template})" if action.template else ""
    return f"{action.kind} {action.target}{letter}" + (", first time only" if action.when == "first" else "")


def _outcome_text(outcome: Outcome) -> str:
    parts = [f"by {', '.join(outcome.by)}" + (" when the load departs" if outcome.via == "departure" else "")]
    if outcome.details:
        parts.append("asks " + ", ".join(d.name if d.required else f"{d.name}?" for d in outcome.details))
    if outcome.guards:
        needs = (f"{guard.name} {guard.argument or ''}".strip() for guard in outcome.guards)
        parts.append("needs " + ", ".join(needs))
    if outcome.effects:
        parts.append("does " + ", ".join(outcome.effects))
    return "; ".join(parts)


def svg(pipeline: Pipeline, language: str = "en") -> str:
    """A self-contained SVG without style sheet, script or font, readable on light and dark pages."""
    return _Drawing(pipeline, language).svg()


class _Drawing:
    """Turns rows, slots and lanes into pixels."""

    def __init__(self, pipeline: Pipeline, language: str) -> None:
        self._pipeline = pipeline
        self._language = language
        self._layout: Layout = lay_out(pipeline)
        self._titles = {
            state.name: _wrapped(text_in(state.title, language)) for state in pipeline.states.values()
        }
        self._heights = self._row_heights()
        self._tops = self._row_tops()
        self._label_room = self._rooms()

    def svg(self) -> str:
        height = self._tops[-1] + self._heights[-1] + MARGIN
        parts = [self._head(self._full_width(), height), *self._lines(), *self._boxes(), *self._labels()]
        return "\n".join([*parts, "</g></svg>"]) + "\n"

    def _head(self, width: float, height: float) -> str:
        """Named for screen readers; ids carry the pipeline's, so that a page may hold several pictures."""
        own, box = self._pipeline.id, f"{width:.0f} {height:.0f}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {box}" width="{width:.0f}" '
            f'height="{height:.0f}" role="img" aria-labelledby="{own}-title {own}-moves">\n'
            f'<title id="{own}-title">{escape(self._pipeline.name)} {self._pipeline.version}</title>\n'
            f'<desc id="{own}-moves">{escape(self._in_words())}</desc>\n'
            f'<defs><marker id="{own}-arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" '
            f'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="{LINE}"/></marker></defs>\n'
            f'<g font-family={quoteattr(FONT)} font-size="12">'
        )

    def _in_words(self) -> str:
        return "; ".join(
            f"{self._title(move.source)}: {self._decision(move)} → {self._title(move.outcome.to)}"
            for move in self._pipeline.moves()
        )

    def _decision(self, move: Move) -> str:
        return text_in(move.outcome.title, self._language)

    def _title(self, state: str) -> str:
        return text_in(self._pipeline.states[state].title, self._language)

    # Sizes. Rows are as high as their titles and arrows ask; the channel has room for the longest labels.

    def _row_heights(self) -> list[float]:
        heights = [max(50, slots * SLOT + 10) for slots in self._layout.slots]
        for name, cell in self._layout.cells.items():
            lines = len(self._titles[name])
            heights[cell.row] = max(heights[cell.row], 34 + lines * TEXT_HEIGHT)
        return [float(height) for height in heights]

    def _row_tops(self) -> list[float]:
        tops = [float(MARGIN)]
        for height in self._heights[:-1]:
            tops.append(tops[-1] + height + GAP)
        return tops

    def _rooms(self) -> list[float]:
        """The room for labels beside each column."""
        rooms = [30.0, 30.0]
        for arrow in self._layout.arrows:
            if arrow.begin is not None:
                column = arrow.begin.column
                rooms[column] = max(rooms[column], _label_width(self._label(arrow)) + 28)
        return rooms

    def _full_width(self) -> float:
        if any(cell.column != MAIN for cell in self._layout.cells.values()):
            return self._right_edge(SIDE) + MARGIN
        channel = self._label_room[MAIN] + (self._layout.lanes + 1) * LANE if any(self._layout.slots) else 0.0
        return self._right_edge(MAIN) + channel + MARGIN

    def _left_edge(self, column: int) -> float:
        if column == MAIN:
            return MARGIN
        return self._right_edge(MAIN) + sum(self._label_room) + (self._layout.lanes + 1) * LANE

    def _right_edge(self, column: int) -> float:
        return self._left_edge(column) + BOX_WIDTH

    def _lane_x(self, lane: int) -> float:
        return self._right_edge(MAIN) + self._label_room[MAIN] + (lane + 1) * LANE

    def _slot_y(self, end: End) -> float:
        unused = self._heights[end.row] - self._layout.slots[end.row] * SLOT
        return self._tops[end.row] + unused / 2 + (end.slot + 0.5) * SLOT

    def _edge_x(self, end: End) -> float:
        return self._right_edge(MAIN) if end.column == MAIN else self._left_edge(end.column)

    # What is drawn: lines first, so that boxes and labels lie above them.

    def _lines(self) -> Iterator[str]:
        for arrow in self._layout.arrows:
            yield (
                f'<path d="{self._path(arrow)}" fill="none" stroke="{LINE}" stroke-width="1.5" '
                f'marker-end="url(#{self._pipeline.id}-arrow)"/>'
            )

    def _path(self, arrow: Arrow) -> str:
        if arrow.begin is None or arrow.end is None:
            x, top, bottom = self._straight(arrow)
            return f"M{x:.1f} {top:.1f}V{bottom:.1f}"
        x1, y1 = self._edge_x(arrow.begin), self._slot_y(arrow.begin)
        x2, y2 = self._edge_x(arrow.end), self._slot_y(arrow.end)
        if arrow.lane is None:
            return f"M{x1:.1f} {y1:.1f}H{x2:.1f}"
        return _bent(x1, y1, self._lane_x(arrow.lane), x2, y2)

    def _straight(self, arrow: Arrow) -> tuple[float, float, float]:
        """x, top and bottom of an arrow to the box below."""
        source, target = (self._layout.cells[name] for name in (arrow.move.source, arrow.move.outcome.to))
        x = self._left_edge(source.column) + BOX_WIDTH / 2
        return x, self._tops[source.row] + self._heights[source.row], self._tops[target.row]

    def _boxes(self) -> Iterator[str]:
        for name, cell in self._layout.cells.items():
            state = self._pipeline.states[name]
            x, y, height = self._left_edge(cell.column), self._tops[cell.row], self._heights[cell.row]
            fill = END_BOX if state.final else BOX
            edge, weight = (START_EDGE, 2.5) if name == self._pipeline.start else (BOX_EDGE, 1.2)
            yield (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{BOX_WIDTH}" height="{height:.1f}" '
                f'rx="{min(height, 46) / 2 if state.final else 8:.0f}" '
                f'fill="{fill}" stroke="{edge}" stroke-width="{weight}"/>'
            )
            yield from self._box_text(state, x + BOX_WIDTH / 2, y + height / 2)

    def _box_text(self, state: State, x: float, middle: float) -> Iterator[str]:
        lines = self._titles[state.name]
        y = middle - (len(lines) + 1) * TEXT_HEIGHT / 2 + 13
        for number, line in enumerate(lines):
            yield (
                f'<text x="{x:.1f}" y="{y + number * TEXT_HEIGHT:.1f}" text-anchor="middle" font-size="14" '
                f'font-weight="600" fill="{INK}">{escape(line)}</text>'
            )
        yield (
            f'<text x="{x:.1f}" y="{y + len(lines) * TEXT_HEIGHT:.1f}" text-anchor="middle" font-size="11" '
            f'fill="{QUIET}">{escape(state.name)}</text>'
        )

    def _labels(self) -> Iterator[str]:
        for arrow in self._layout.arrows:
            label = self._label(arrow)
            width = _label_width(label)
            x, y = self._label_middle(arrow, width)
            yield (
                f'<rect x="{x - width / 2:.1f}" y="{y - LABEL_HEIGHT / 2:.1f}" width="{width:.1f}" '
                f'height="{LABEL_HEIGHT}" rx="10" fill="{BOX}" stroke="{LINE}" stroke-width="0.6"/>'
            )
            yield (
                f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="{INK}">{escape(label)}</text>'
            )

    def _label_middle(self, arrow: Arrow, width: float) -> tuple[float, float]:
        if arrow.begin is None:
            x, top, bottom = self._straight(arrow)
            return x, (top + bottom) / 2 - 3
        away = 12 + width / 2
        x = self._edge_x(arrow.begin) + (away if arrow.begin.column == MAIN else -away)
        return x, self._slot_y(arrow.begin)

    def _label(self, arrow: Arrow) -> str:
        """Cut to the width of a box; the whole stands in the picture's description."""
        label = self._decision(arrow.move)
        return label if _label_width(label) <= BOX_WIDTH else f"{next(_pieces(label, LABEL_LETTERS - 1))}…"


def _bent(x1: float, y1: float, lane: float, x2: float, y2: float) -> str:
    """Across to the lane, along it and across again, with round corners."""
    radius = min(6.0, abs(y2 - y1) / 2)
    down = radius if y2 > y1 else -radius
    out = radius if lane > x1 else -radius
    on = radius if x2 > lane else -radius
    return (
        f"M{x1:.1f} {y1:.1f}H{lane - out:.1f}Q{lane:.1f} {y1:.1f} {lane:.1f} {y1 + down:.1f}"
        f"V{y2 - down:.1f}Q{lane:.1f} {y2:.1f} {lane + on:.1f} {y2:.1f}H{x2:.1f}"
    )


def _label_width(label: str) -> float:
    return 18 + _width(label) * LETTER


def _width(words: str) -> float:
    """In letters of average width; East Asian and other wide characters count twice."""
    return sum(2.0 if letter >= "\u1100" else 1.0 for letter in words)


def _wrapped(title: str) -> list[str]:
    """A title in as many lines as its box needs. A word that is too long is broken."""
    room = (BOX_WIDTH - 20) / TITLE_LETTER
    lines = [""]
    for word in title.split():
        for piece in _pieces(word, room):
            joined = f"{lines[-1]} {piece}".strip()
            if _width(joined) <= room:
                lines[-1] = joined
            else:
                lines.append(piece)
    return [line for line in lines if line]


def _pieces(word: str, room: float) -> Iterator[str]:
    piece = ""
    for letter in word:
        if _width(piece + letter) > room:
            yield piece
            piece = ""
        piece += letter
    yield piece

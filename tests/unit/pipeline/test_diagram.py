from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from dealerflow.pipeline.diagram import mermaid, svg, text
from dealerflow.pipeline.layout import lay_out
from dealerflow.pipeline.loader import load, standard
from tests.unit.pipeline.generated import Tree, trees, written

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]

AWKWARD = """\
pipeline: awkward
version: 1
start: state
states:
  state:
    title: 'A <title> with "quotes", & more; {all} #1 that has to be wrapped'
    outcomes:
      go: {title: 'Go: on; <b>', by: dealer, to: end}
      go_too: {title: Go too, by: dealer, to: end}
      again: {title: Again with a title that is far too long for a label in a picture, by: dealer, to: state}
  end: {title: Unaussprechlichlangeswortohnejedetrennmöglichkeit}
"""


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own picture, no one else's XML


def boxes(root: ET.Element) -> Iterator[Box]:
    for rect in root.iter(f"{SVG}rect"):
        x, y, width, height = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        yield x, y, x + width, y + height


def lie_apart(one: Box, other: Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def shown_texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_the_picture_shows_every_state_and_every_decision() -> None:
    shown = shown_texts(parsed(svg(standard())))
    for state in standard().states.values():
        assert state.name in shown
        assert all(word in " ".join(shown) for word in state.title["en"].split())
    for move in standard().moves():
        assert move.outcome.title["en"] in shown


def test_the_picture_speaks_spanish() -> None:
    shown = shown_texts(parsed(svg(standard(), "es")))
    assert "Control de calidad" in shown
    assert "Entregar las llaves" in shown
    assert "Quality check" not in shown


def test_the_picture_tells_a_screen_reader_what_it_shows() -> None:
    root = parsed(svg(standard()))
    assert root.attrib["role"] == "img"
    named = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    assert list(named) == root.attrib["aria-labelledby"].split()
    assert "Quality check: Fail the car → Failed quality" in str(named[f"{standard().id}-moves"])


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    picture = svg(standard())
    assert not re.search(r"<style|style=|<script|href|@import|url\((?!#)", picture)
    assert set(re.findall(r"https?://[^\"' ]+", picture)) == {"http://www.w3.org/2000/svg"}


def test_the_same_pipeline_gives_the_same_picture() -> None:
    assert svg(load(standard().text)) == svg(standard())


@given(trees(bare=True))
def test_no_box_or_label_hides_another_and_all_lie_inside(tree: Tree) -> None:
    root = parsed(svg(load(written(tree))))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    drawn = list(boxes(root))
    assert all(lie_apart(one, other) for one, other in combinations(drawn, 2))
    assert all(
        left >= 0 and right <= width and top >= 0 and bottom <= height for left, top, right, bottom in drawn
    )


@given(trees(bare=True))
def test_every_move_has_its_arrow_and_arrows_in_one_lane_never_meet(tree: Tree) -> None:
    pipeline = load(written(tree))
    layout = lay_out(pipeline)
    assert len(layout.arrows) == len(list(pipeline.moves()))
    assert len({(cell.column, cell.row) for cell in layout.cells.values()}) == len(pipeline.states)
    uprights = []
    for arrow in layout.arrows:
        if arrow.lane is not None and arrow.begin and arrow.end:
            top, bottom = sorted([(arrow.begin.row, arrow.begin.slot), (arrow.end.row, arrow.end.slot)])
            uprights.append((arrow.lane, top, bottom))
    for one, other in combinations(uprights, 2):
        assert one[0] != other[0] or one[2] < other[1] or other[2] < one[1]


def test_awkward_titles_are_drawn_as_text() -> None:
    shown = " ".join(shown_texts(parsed(svg(load(AWKWARD)))))
    assert "A <title> with" in shown
    assert "Go: on; <b>" in shown


def test_mermaid_draws_every_state_and_move() -> None:
    lines = mermaid(standard()).splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert '    state "Quality check" as quality_check' in lines
    assert "    [*] --> order_placed" in lines
    assert "    quality_check --> quality_failed : Fail the car" in lines
    assert "    ended --> [*]" in lines
    assert len(lines) == 1 + 11 + 1 + 13 + 3


def test_mermaid_speaks_spanish() -> None:
    assert (
        "    quality_check --> quality_failed : No aprobar el coche" in mermaid(standard(), "es").splitlines()
    )


def test_mermaid_is_not_misled_by_awkward_names_and_titles() -> None:
    lines = mermaid(load(AWKWARD)).splitlines()
    assert "    [*] --> State_state" in lines
    assert "    State_state --> State_end : Go#58; on#59; #60;b#62;" in lines
    assert not any('"quotes"' in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "order_placed  Waiting for the dealership  (start, no payments)",
        "    on entry: mail dealership (new_order), first time only",
        "    decline -> declined  by dealer, dealer_admin; asks reason",
        "    load -> on_delivery  by delivery_lead when the load departs; needs paid delivery",
        "    rebuild -> order_arrived  by line_lead; does scrap_vehicle",
    ],
)
def test_the_terminal_shows_what_the_file_says(line: str) -> None:
    assert line in text(standard()).splitlines()

"""Small catalogues with rules of every kind, and choices that keep them or break them."""

from __future__ import annotations

from hypothesis import strategies as st

from dealerflow.domain.catalogue import Catalogue, Colour, Model, Option, Trim, VehicleChoice

TRIMS = ("t0", "t1", "t2")
COLOURS = ("c0", "c1")
OPTIONS = ("o0", "o1", "o2", "o3", "o4")
PRICES = st.integers(0, 10**9).map(lambda amount: {"EUR": amount})
SOME_TRIMS = st.none() | st.lists(st.sampled_from(TRIMS), min_size=1, unique=True).map(tuple)


def _others(code: str) -> st.SearchStrategy[tuple[str, ...]]:
    others = [option for option in OPTIONS if option != code]
    return st.lists(st.sampled_from(others), max_size=2, unique=True).map(tuple)


def _title(code: str) -> dict[str, str]:
    return {"en": code.upper()}


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """One model; its options may contradict each other."""
    trims = tuple(Trim(code=code, title=_title(code), price=draw(PRICES)) for code in TRIMS)
    colours = tuple(
        # The first colour is for all trims, so that each trim has one.
        Colour(code=code, title=_title(code), price=draw(PRICES), trims=draw(SOME_TRIMS) if place else None)
        for place, code in enumerate(COLOURS)
    )
    options = tuple(
        Option(
            code=code,
            title=_title(code),
            price=draw(PRICES),
            needs=draw(_others(code)),
            excludes=draw(_others(code)),
            trims=draw(SOME_TRIMS),
        )
        for code in OPTIONS
    )
    model = Model(
        code="m",
        title=_title("m"),
        price=draw(PRICES),
        vin_code="M1RA2",
        trims=trims,
        colours=colours,
        options=options,
    )
    return Catalogue(currencies=("EUR",), models=(model,))


def choices(*, wrong: bool = True) -> st.SearchStrategy[VehicleChoice]:
    """Choices of the model; with `wrong` also codes that are not there and options given twice."""
    extra = ("x",) if wrong else ()
    return st.builds(
        VehicleChoice,
        model=st.just("m"),
        trim=st.sampled_from(TRIMS + extra),
        colour=st.sampled_from(COLOURS + extra),
        options=st.lists(st.sampled_from(OPTIONS + extra), max_size=4, unique=not wrong).map(tuple),
    )

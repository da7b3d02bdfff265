from __future__ import annotations

from itertools import combinations
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dealerflow.domain.catalogue import Catalogue, Colour, Model, Option, Trim, VehicleChoice, faults, quote
from dealerflow.domain.catalogue_files import rule_faults
from dealerflow.domain.money import Money
from tests.unit.properties.catalogues import COLOURS, OPTIONS, TRIMS, catalogues, choices


def _broken(catalogue: Catalogue, choice: VehicleChoice) -> set[tuple[str, ...]]:
    """The rules that a choice breaks, told in the plainest way: (where, codes that a fault must name)."""
    model = catalogue.models[0]
    options = {option.code: option for option in model.options}
    broken: set[tuple[str, ...]] = set()
    if choice.trim not in TRIMS:
        broken.add(("/vehicle/trim", choice.trim))
    if choice.colour not in COLOURS:
        broken.add(("/vehicle/colour", choice.colour))
    for colour in model.colours:
        if colour.code == choice.colour and choice.trim in TRIMS and colour.trims:
            broken |= (
                {("/vehicle/colour", colour.code, choice.trim)} if choice.trim not in colour.trims else set()
            )
    for place, code in enumerate(choice.options):
        where = f"/vehicle/options/{place}"
        if code in choice.options[:place]:
            broken.add((where, code, "twice"))
        if code not in options:
            broken.add((where, code))
            continue
        option = options[code]
        broken |= {(where, code, need, "needs") for need in option.needs if need not in choice.options}
        broken |= {(where, code, other, "together") for other in option.excludes if other in choice.options}
        if option.trims and choice.trim in TRIMS and choice.trim not in option.trims:
            broken.add((where, code, choice.trim, "only"))
    return broken


@settings(max_examples=200)
@given(catalogues(), choices())
def test_every_broken_rule_is_named_once_and_nothing_else_is(
    catalogue: Catalogue, choice: VehicleChoice
) -> None:
    found = faults(catalogue, choice, "EUR")
    broken = _broken(catalogue, choice)

    assert len(found) == len(broken)
    for where, *names in broken:
        assert any(f.pointer == where and all(name in f.detail for name in names) for f in found)


@settings(max_examples=200)
@given(catalogues(), choices(wrong=False), st.randoms(use_true_random=False))
def test_the_price_is_the_sum_of_its_parts_in_whatever_order_they_are_given(
    catalogue: Catalogue, choice: VehicleChoice, chance: Random
) -> None:
    model = catalogue.models[0]
    parts: list[Model | Trim | Colour | Option] = [model, *model.trims, *model.colours, *model.options]
    chosen = {choice.model, choice.trim, choice.colour, *choice.options}
    shuffled = list(choice.options)
    chance.shuffle(shuffled)

    told = quote(catalogue, choice, "EUR")
    assert told.total == Money(sum(part.price["EUR"] for part in parts if part.code in chosen), "EUR")
    assert told.total.amount == sum(line.amount for line in told.lines)
    assert {line.code for line in told.lines} == chosen
    assert quote(catalogue, msgspec.structs.replace(choice, options=tuple(shuffled)), "EUR") == told


@settings(max_examples=100, deadline=None)
@given(catalogues())
def test_an_option_is_refused_in_a_catalogue_if_and_only_if_no_car_can_have_it(catalogue: Catalogue) -> None:
    possible: set[str] = set()
    for size in range(len(OPTIONS) + 1):
        for options in combinations(OPTIONS, size):
            if not possible.issuperset(options):
                cars = (VehicleChoice(model="m", trim=t, colour="c0", options=options) for t in TRIMS)
                possible |= set(options) if any(not faults(catalogue, car, "EUR") for car in cars) else set()

    refused = {f"/models/0/options/{place}" for place, code in enumerate(OPTIONS) if code not in possible}
    assert {fault.pointer for fault in rule_faults(catalogue)} == refused


@given(catalogues())
def test_a_catalogue_sent_is_the_catalogue_read(catalogue: Catalogue) -> None:
    assert msgspec.json.decode(msgspec.json.encode(catalogue), type=Catalogue) == catalogue

"""The standard pipeline, as the table that the factory and its dealerships agreed on."""

from __future__ import annotations

import pytest

from dealerflow.pipeline.definition import Action, Outcome
from dealerflow.pipeline.loader import standard
from dealerflow.pipeline.vocabulary import ACTION_KINDS

DEALERSHIP = ("dealer", "dealer_admin")

# state, outcome, who decides, where it leads, guards, details (? is optional), effects
MOVES = [
    ("order_placed", "accept", DEALERSHIP, "order_arrived", [], [], []),
    ("order_placed", "decline", DEALERSHIP, "declined", [], ["reason"], []),
    ("order_placed", "cancel", ("customer", *DEALERSHIP), "cancelled", ["no_vehicle"], ["reason?"], []),
    (
        "order_arrived",
        "start_production",
        ("production_manager",),
        "production_started",
        ["paid production", "line_builds_model", "place_on_line"],
        ["line"],
        ["set_line"],
    ),
    ("order_arrived", "cancel", ("customer", *DEALERSHIP), "cancelled", ["no_vehicle"], ["reason?"], []),
    ("production_started", "finish", ("line_lead",), "quality_check", [], [], []),
    ("quality_check", "pass", ("quality_lead",), "quality_passed", [], [], ["mark_built"]),
    (
        "quality_check",
        "fail",
        ("quality_lead",),
        "quality_failed",
        [],
        ["defects", "note?"],
        ["record_failure"],
    ),
    ("quality_failed", "rework", ("line_lead",), "production_started", [], [], []),
    ("quality_failed", "rebuild", ("line_lead",), "order_arrived", [], [], ["scrap_vehicle"]),
    ("quality_passed", "load", ("delivery_lead",), "on_delivery", ["paid delivery"], [], []),
    ("on_delivery", "receive", DEALERSHIP, "at_dealership", [], ["condition", "note?"], ["record_receipt"]),
    ("at_dealership", "hand_over", DEALERSHIP, "ended", ["paid handover"], [], ["mark_delivered"]),
]

# state, title in both languages, effects and actions on entering it
STATES = [
    (
        "order_placed",
        ("Waiting for the dealership", "A la espera del concesionario"),
        [],
        ["mail dealership new_order first", "mail customer order_placed first"],
    ),
    ("order_arrived", ("Order arrived", "Pedido recibido"), [], ["mail customer order_accepted first"]),
    (
        "production_started",
        ("In production", "En producción"),
        ["make_vehicle"],
        ["mail customer order_in_production first"],
    ),
    ("quality_check", ("Quality check", "Control de calidad"), [], []),
    (
        "quality_failed",
        ("Failed quality", "Calidad no aprobada"),
        [],
        ["topic quality-alerts quality_failed every"],
    ),
    (
        "quality_passed",
        ("Passed quality", "Calidad aprobada"),
        [],
        ["queue deliveries-{delivery_line} every", "function estimate_arrival every"],
    ),
    ("on_delivery", ("On its way", "En camino"), [], ["mail customer order_on_its_way every"]),
    (
        "at_dealership",
        ("At the dealership", "En el concesionario"),
        [],
        ["mail customer order_ready every", "event CarReadyForPickup every"],
    ),
    (
        "ended",
        ("Handed over", "Entregado"),
        [],
        ["mail customer order_thanks every", "event CarHandedOver every"],
    ),
    ("declined", ("Declined", "Rechazado"), ["ask_refund"], ["mail customer order_declined every"]),
    ("cancelled", ("Cancelled", "Cancelado"), ["ask_refund"], ["mail customer order_cancelled every"]),
]


def in_words(action: Action) -> str:
    parts = (action.kind, action.target, action.template, action.when)
    return " ".join(part for part in parts if part)


def guards_of(outcome: Outcome) -> list[str]:
    return [" ".join(filter(None, (guard.name, guard.argument))) for guard in outcome.guards]


def details_of(outcome: Outcome) -> list[str]:
    return [detail.name if detail.required else f"{detail.name}?" for detail in outcome.details]


def test_the_moves_are_those_of_the_table() -> None:
    moves = [
        (
            move.source,
            move.outcome.name,
            move.outcome.by,
            move.outcome.to,
            guards_of(move.outcome),
            details_of(move.outcome),
            list(move.outcome.effects),
        )
        for move in standard().moves()
    ]
    assert moves == MOVES


def test_the_states_are_those_of_the_table() -> None:
    states = [
        (
            state.name,
            (state.title["en"], state.title["es"]),
            list(state.effects),
            [in_words(action) for action in state.actions],
        )
        for state in standard().states.values()
    ]
    assert states == STATES


def test_an_order_starts_with_the_dealership_and_ends_in_one_of_three_ways() -> None:
    pipeline = standard()
    assert pipeline.start == "order_placed"
    assert [state.name for state in pipeline.states.values() if state.final] == [
        "ended",
        "declined",
        "cancelled",
    ]


def test_payments_are_closed_before_the_dealership_accepts_and_after_it_is_off() -> None:
    closed = {state.name for state in standard().states.values() if state.payments == "closed"}
    assert closed == {"order_placed", "declined", "cancelled"}


def test_a_car_holds_its_place_on_the_line_through_the_quality_check() -> None:
    holding = {state.name for state in standard().states.values() if state.holds_place}
    assert holding == {"production_started", "quality_check", "quality_failed"}


def test_only_loading_is_decided_by_a_departure() -> None:
    departures = [move.outcome.name for move in standard().moves() if move.outcome.via == "departure"]
    assert departures == ["load"]


def test_all_kinds_of_action_are_in_use() -> None:
    used = {action.kind for state in standard().states.values() for action in state.actions}
    assert used == set(ACTION_KINDS)


def test_every_title_is_in_english_and_spanish() -> None:
    for state in standard().states.values():
        assert set(state.title) == {"en", "es"}
        for outcome in state.outcomes.values():
            assert set(outcome.title) == {"en", "es"}
            for detail in outcome.details:
                assert set(detail.title) == {"en", "es"}
                assert all(set(title) == {"en", "es"} for title in detail.choice_titles.values())


@pytest.mark.parametrize(
    ("outcome", "detail", "kind", "choices", "source"),
    [
        ("decline", "reason", "text", (), None),
        ("start_production", "line", "choice", (), "lines"),
        ("fail", "defects", "codes", (), "defects"),
        ("receive", "condition", "choice", ("ok", "damaged", "incomplete"), None),
    ],
)
def test_details_are_of_their_kind(
    outcome: str, detail: str, kind: str, choices: tuple[str, ...], source: str | None
) -> None:
    move = next(move for move in standard().moves() if move.outcome.name == outcome)
    found = next(one for one in move.outcome.details if one.name == detail)
    assert (found.kind, found.choices, found.source) == (kind, choices, source)

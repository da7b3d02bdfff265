"""Each mistake that a pipeline file can hold is named, with its line (marked `# <-` here)."""

from __future__ import annotations

import pytest

from dealerflow.pipeline.loader import PipelineError, load
from dealerflow.pipeline.vocabulary import STANDARD

SMALL = """\
pipeline: small
version: 1
start: asked
states:
  asked:
    title: {en: Asked, es: Pedido}
    outcomes:
      build:
        title: {en: Build, es: Construir}
        by: production_manager
        to: building
        guards: [line_builds_model, place_on_line]
        effects: set_line
        details:
          line: {title: Line, kind: choice, source: lines, required: yes}
  building:
    title: {en: Building, es: En construcción}
    holds_place: yes
    actions:
      - mail: role:line_lead
        template: order_in_production
      - queue: deliveries-{delivery_line}
    outcomes:
      check:
        title: {en: Check, es: Revisar}
        by: [quality_lead, customer]
        to: done
        details:
          defects: {title: Defects, kind: codes, choices: [paint, gap]}
  done:
    title: {en: Done, es: Terminado}
    payments: closed
    actions:
      - topic: quality-alerts
        template: quality_failed
        when: first
"""

MISTAKES = {
    "a missing start": ("start: asked", "pipline: small # <-", "the file has no key 'pipline'; did you mean"),
    "an unknown start": (
        "start: asked",
        "start: askd # <-",
        "there is no state 'askd'; did you mean 'asked'?",
    ),
    "a bad version": ("version: 1", "version: one # <-", "'one' does not fit here; write a whole number"),
    "a bad name": ("pipeline: small", "pipeline: Small # <-", "'Small' does not fit here"),
    "an unknown target": ("to: done", "to: don # <-", "there is no state 'don'; did you mean 'done'?"),
    "an unknown role": (
        "by: production_manager",
        "by: manager # <-",
        "there is no role 'manager'; use one of",
    ),
    "nobody who decides": ("by: production_manager", "by: [] # <-", "nobody decides this outcome"),
    "an empty list": ("by: production_manager", "by: # <-", "there is nothing here"),
    "a repeated role": ("[quality_lead, customer]", "[customer, customer] # <-", "stands here twice"),
    "an unknown guard": ("[line_builds_model, place_on_line]", "[place_on_line, payed] # <-", "mean 'paid'?"),
    "a guard without argument": (
        "[line_builds_model, ",
        "[paid, # <-\n         ",
        "needs an argument, one of",
    ),
    "a wrong argument": (
        "[line_builds_model, ",
        "[paid: sale, # <-\n         ",
        "there is no argument of paid 's",
    ),
    "an argument too many": ("[line_builds_model, ", "[no_vehicle: 1, # <-\n    ", "takes no argument"),
    "two guards in one": ("[line_builds_model, ", "[{paid: sale, x: y}, # <-\n    ", "a guard is one word"),
    "an unknown effect": ("effects: set_line", "effects: setline # <-", "did you mean 'set_line'?"),
    "an effect without its detail": (
        "effects: set_line",
        "effects: record_receipt # <-",
        "ask for it in detail",
    ),
    "an effect with an optional detail": (
        "{title: Line, kind: choice, source: lines, required: yes}",
        "{title: Line, kind: choice, source: lines}",
        "set_line reads the detail line; ask for it",
    ),
    "an entry that reads a detail": ("holds_place: yes", "effects: set_line # <-", "belongs to the outcome"),
    "an unknown action": (
        "- topic: quality-alerts",
        "- tropic: x # <-",
        "no key 'tropic'; did you mean 'topic'?",
    ),
    "an action without kind": (
        "- topic: quality-alerts",
        "- when: first # <-",
        "an action is one of mail, topic",
    ),
    "an action of two kinds": (
        "- topic: quality-alerts",
        "- event: X # <-\n        topic: y",
        "one of mail, top",
    ),
    "an unknown topic": ("topic: quality-alerts", "topic: alerts # <-", "there is no topic 'alerts'"),
    "an unknown template": (
        "template: quality_failed",
        "template: failed # <-",
        "did you mean 'quality_failed'?",
    ),
    "a missing template": (
        "mail: role:line_lead\n        template: order_in_production",
        "mail: customer # <-",
        "`templ",
    ),
    "a template too many": (
        "queue: deliveries-{delivery_line}",
        "event: Done\n        template: x # <-",
        "has no te",
    ),
    "an unknown mail target": ("role:line_lead", "dealer # <-", "there is no mail target 'dealer'"),
    "an unknown role to mail": ("role:line_lead", "role:lead # <-", "there is no role 'lead'"),
    "the customer as a role to mail": ("role:line_lead", "role:customer # <-", "there is no role 'customer'"),
    "a queue of the program": ("deliveries-{delivery_line}", "orders # <-", "the program's own work"),
    "an unknown placeholder": ("{delivery_line}", "{line} # <-", "{line} is not known in a queue"),
    "a bad queue name": ("deliveries-{delivery_line}", "My Queue # <-", "does not fit here"),
    "a bad event name": (
        "queue: deliveries-{delivery_line}",
        "event: car ready # <-",
        "a name such as CarHand",
    ),
    "a bad function name": ("queue: deliveries-{delivery_line}", "function: a b # <-", "`module:attribute`"),
    "an ARN of something else": (
        "queue: deliveries-{delivery_line}",
        "function: arn:aws:sqs:eu-west-1:123456789012:wax # <-",
        "the ARN of a Lambda",
    ),
    "an ARN without its account": (
        "queue: deliveries-{delivery_line}",
        "function: arn:aws:lambda:eu-west-1::function:wax # <-",
        "the ARN of a Lambda",
    ),
    "a bad when": ("when: first", "when: once # <-", "there is no value 'once'"),
    "a bad payments": ("payments: closed", "payments: close # <-", "did you mean 'closed'?"),
    "a bad flag": ("holds_place: yes", "holds_place: maybe # <-", "there is no answer 'maybe'"),
    "a missing title": (
        "  done:\n    title: {en: Done, es: Terminado}",
        "  done: # <-",
        "title is missing; add",
    ),
    "a missing English title": (
        "{en: Done, es: Terminado}",
        "{es: Terminado} # <-",
        "the English title is miss",
    ),
    "an empty title": ("{en: Done, es: Terminado}", '" " # <-', "this is empty"),
    "a language that is none": (
        "es: Terminado}",
        "esp: Terminado} # <-",
        "'esp' is no name; write a language",
    ),
    "a title of two lines": ("{en: Done, es: Terminado}", '"a\\nb" # <-', "a title is one line"),
    "a title too long": ("{en: Done, es: Terminado}", f"{'x' * 81} # <-", "81 characters; 80 are allowed"),
    "an unknown kind of detail": ("kind: codes", "kind: code # <-\n        ", "did you mean 'codes'?"),
    "an unknown source": ("source: lines", "source: rows # <-\n        ", "there is no source 'rows'"),
    "a choice without choices": (
        "defects: {title: Defects, kind: codes, choices: [paint, gap]}",
        "defects: {title: Defects, kind: codes} # <-",
        "either choices or a source",
    ),
    "choices and a source": (
        "source: lines",
        "source: lines, choices: [A] # <-\n     ",
        "either choices or a source",
    ),
    "no choices": ("[paint, gap]", "[] # <-\n         ", "there is nothing to choose from"),
    "a text with choices": (
        "kind: codes, choices: [paint, gap]",
        "kind: text, choices: [a] # <-\n         ",
        "has no choices",
    ),
    "a choice with a length": (
        "kind: codes,",
        "kind: codes, max_length: 3, # <-\n         ",
        "has no max_length",
    ),
    "a length too long": (
        "{title: Defects, kind: codes, choices: [paint, gap]}",
        "{title: D, kind: text, max_length: 10001} # <-",
        "are the most",
    ),
    "a repeated key": ("version: 1", "version: 1\nversion: 2 # <-", "'version' stands here twice; keep one"),
    "a repeated detail": (
        "          defects:",
        "          note: {title: N, kind: text}\n          note: {} # <-\n          defects:",
        "twice",
    ),
    "an unknown key": ("payments: closed", "payment: closed # <-", "did you mean 'payments'?"),
    "a name with capitals": ("      check:", "      Check: # <-", "'Check' is no name"),
    "a reserved state": (
        "  done:",
        "  received: {title: R} # <-\n  done:",
        "names orders before they are processed",
    ),
    "a state that nothing leads to": (
        "  done:",
        "  lost: {title: Lost} # <-\n  done:",
        "no way leads from asked to lost",
    ),
    "a place that nobody takes": (
        "guards: [line_builds_model, place_on_line]",
        "guards: line_builds_model",
        "add the guard place_on_line to build",
    ),
    "a place that is given back": ("holds_place: yes", "holds_place: no", "would give the place"),
    "a departure with details": (
        "      check:\n",
        "      check: # <-\n        via: departure\n",
        "cannot ask for details",
    ),
    "a departure by a customer": (
        "      check:\n",
        "      check: # <-\n        via: departure\n",
        "a customer sends no load off",
    ),
    "an anchor": ("to: done", "to: &end done # <-", "anchors and aliases"),
    "a tag": ("to: done", "to: !!python/name:os.system done # <-", "tags (!) are not read"),
    "a tab": ("to: done", "\tto: done # <-", ""),
    "a key that is a list": ("payments: closed", "[payments]: closed # <-", "a key has to be one word"),
    "a list for a mapping": (
        "      check:\n",
        "      more: [] # <-\n      check:\n",
        "there have to be keys here",
    ),
    "a mapping for a value": ("to: done", "to: {state: done} # <-", "there has to be one value here"),
    "a character that cannot be shown": ("to: done", "to: do\x07ne # <-", "take it out"),
}


@pytest.mark.parametrize(("right", "wrong", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_line(right: str, wrong: str, message: str) -> None:
    assert right in SMALL
    text = SMALL.replace(right, wrong, 1)
    with pytest.raises(PipelineError) as refused:
        load(text, origin="mine.yaml")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "# <-" in line]
    found = [problem for problem in refused.value.problems if message in problem.message]
    assert found, str(refused.value)
    assert not lines or found[0].line in lines
    assert (
        f"mine.yaml:{found[0].line}:{found[0].column}: {found[0].message}" in str(refused.value).splitlines()
    )


def test_the_small_file_of_these_tests_is_right() -> None:
    pipeline = load(SMALL)
    assert list(pipeline.states) == ["asked", "building", "done"]
    assert pipeline.states["asked"].outcomes["build"].details[0].title == {"en": "Line"}


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    text = (
        SMALL.replace("version: 1", "version: 0")
        .replace("production_manager", "boss")
        .replace("to: done", "to: d")
    )
    with pytest.raises(PipelineError) as refused:
        load(text)
    assert [problem.line for problem in refused.value.problems] == [2, 10, 27]
    assert [fault.pointer for fault in refused.value.faults] == [
        "/version",
        "/states/asked/outcomes/build/by",
        "/states/building/outcomes/check/to",
    ]


def test_a_misspelt_state_does_not_make_all_others_look_lost() -> None:
    with pytest.raises(PipelineError) as refused:
        load(SMALL.replace("to: building", "to: bulding"))
    assert len(refused.value.problems) == 1


def test_a_circle_without_an_end_is_refused() -> None:
    text = """\
pipeline: round
version: 1
start: one
states:
  one: {title: One, outcomes: {go: {title: A, by: dealer, to: two}, stop: {title: B, by: dealer, to: end}}}
  two: {title: Two, outcomes: {go: {title: Go, by: dealer, to: two}}}
  end: {title: End}
"""
    with pytest.raises(PipelineError) as refused:
        load(text)
    assert [(problem.line, problem.column) for problem in refused.value.problems] == [(6, 3)]
    assert "no way leads from two to an end" in str(refused.value)


def test_a_pipeline_where_every_state_leads_on_has_no_end() -> None:
    state = "{title: A, outcomes: {b: {title: B, by: dealer, to: a}}}"
    text = f"pipeline: p\nversion: 1\nstart: a\nstates: {{a: {state}}}"
    with pytest.raises(PipelineError, match="the pipeline has no end"):
        load(text)


def test_an_order_cannot_start_with_a_place_on_a_line() -> None:
    text = "pipeline: p\nversion: 1\nstart: a\nstates: {a: {title: A, holds_place: yes}}"
    with pytest.raises(PipelineError, match="no order starts with a place"):
        load(text)


def test_a_state_has_at_most_one_departure() -> None:
    text = """\
pipeline: p
version: 1
start: a
states:
  a:
    title: A
    outcomes:
      x: {title: X, via: departure, by: delivery_lead, to: b}
      y: {title: Y, via: departure, by: delivery_lead, to: b}
  b: {title: B}
"""
    with pytest.raises(PipelineError, match="pipeline:5:3: a has 2 outcomes via departure"):
        load(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "just a text",
        "- a\n- list\n",
        "{}",
        "states: {}",
        "pipeline: a\n---\npipeline: b\n",
        "[" * 3000,
        "a: " * 3000,
        "- " * 3000,
        "x" * 300_000,
        'pipeline: "\\UFFFFFFFF"',
        'pipeline: "\\ud800"',
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
        "<<: {a: b}",
        "\ud800",
        "\0",
        "%YAML 9.9\n---\na: b",
        "? {a: b}\n: c",
    ],
    ids=repr,
)
def test_a_text_that_is_no_pipeline_is_refused_and_harms_nobody(text: str) -> None:
    with pytest.raises(PipelineError) as refused:
        load(text)
    assert refused.value.problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in refused.value.problems)


def test_an_installation_adds_its_own_templates_and_topics() -> None:
    text = SMALL.replace("quality-alerts", "waxing").replace("quality_failed", "car_waxed")
    with pytest.raises(PipelineError):
        load(text)
    own = STANDARD.extended(templates={"car_waxed": "the car shines"}, topics={"waxing": "those who wax"})
    action = load(text, vocabulary=own).states["done"].actions[0]
    assert (action.target, action.template) == ("waxing", "car_waxed")


def test_words_that_yaml_takes_for_something_else_are_texts_here() -> None:
    text = SMALL.replace("Done, es: Terminado", "No, es: 2026-01-31").replace("[paint, gap]", "[no, 1.0]")
    pipeline = load(text)
    assert pipeline.states["done"].title == {"en": "No", "es": "2026-01-31"}
    assert pipeline.states["building"].outcomes["check"].details[0].choices == ("no", "1.0")


def test_a_single_entry_may_stand_without_its_list() -> None:
    listed = SMALL.replace("by: production_manager", "by: [production_manager]").replace(
        "effects: set_line", "effects: [set_line]"
    )
    assert load(listed).states == load(SMALL).states

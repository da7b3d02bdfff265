"""axe-core, which knows what keeps somebody from using a page: contrast, names, roles, landmarks, order."""

from __future__ import annotations

import json
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped] # ships no types
from playwright.sync_api import Page

Scheme = Literal["light", "dark"]

# Every rule that is on unless one asks otherwise, best practices too; and those that look at colours.
ALL_RULES: dict[str, Any] = {}
COLOURS: dict[str, Any] = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
# What is looked at in which language. Colours take most of the time, and are the same in all of them.
VIEWS: dict[str, tuple[tuple[Scheme, dict[str, Any]], ...]] = {
    "en": (("light", ALL_RULES), ("dark", COLOURS)),
    "es": (("dark", ALL_RULES),),
}
UNFOLD = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
# A transition on its way from one scheme to the other would be measured half-way.
STILL = "() => document.getAnimations().forEach((one) => one.finish())"


def violations(page: Page, language: str, where: str) -> list[str]:
    """What axe finds on this page, all of it unfolded, in the schemes that belong to this language."""
    page.evaluate(UNFOLD)
    page.evaluate(f"() => {{ {AXE_SCRIPT} }}")
    found = []
    for scheme, rules in VIEWS[language]:
        page.emulate_media(color_scheme=scheme)
        page.evaluate(STILL)
        options = json.dumps({"resultTypes": ["violations"], "preload": False, **rules})
        told = page.evaluate(f"async () => (await axe.run({options})).violations")
        found += [
            f"{where}, {language}, {scheme}: {line}" for violation in told for line in _lines(violation)
        ]
    return found


def _lines(violation: dict[str, Any]) -> list[str]:
    return [
        f"{violation['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for node in violation["nodes"]
    ]

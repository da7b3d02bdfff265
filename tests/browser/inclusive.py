"""What makes a page usable for everybody, as far as a program can see: names, headings, landmarks, room on a small screen."""

from __future__ import annotations

from playwright.sync_api import Page

FAULTS = """() => {
  const faults = [];
  const seen = (element) => element.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true });
  const words = (element) => (element?.innerText || element?.getAttribute?.("aria-label") || "").trim();
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const named = [...(field.labels ?? [])].some(words) || words(field);
    if (seen(field) && !named) faults.push(`a field without a label: ${field.outerHTML}`);
    for (const id of (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean)) {
      if (!document.getElementById(id)) faults.push(`a field described by what there is not: ${id}`);
    }
  }
  for (const group of document.querySelectorAll("fieldset")) {
    if (!group.querySelector("legend")) faults.push("a group of fields without a legend");
  }
  for (const way of document.querySelectorAll("a[href], button")) {
    if (seen(way) && !words(way)) faults.push(`a link or button without words: ${way.outerHTML}`);
  }
  for (const picture of document.querySelectorAll("svg, img")) {
    const named = picture.getAttribute("aria-hidden") === "true" || picture.getAttribute("aria-label") || picture.alt;
    if (!named) faults.push(`a picture that says nothing: ${picture.outerHTML}`);
  }
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(seen).map((head) => Number(head.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push(`headings of level 1: ${levels}`);
  levels.forEach((level, place) => {
    if (place && level > levels[place - 1] + 1) faults.push(`a heading that skips a level: ${levels}`);
  });
  for (const [name, number] of [["main", 1], ["body > header", 1], ["body > footer", 1]]) {
    if (document.querySelectorAll(name).length !== number) faults.push(`not ${number} ${name}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const doubled = ids.filter((id, place) => ids.indexOf(id) !== place);
  if (doubled.length) faults.push(`ids that are there twice: ${doubled}`);
  if (!document.documentElement.lang || !document.title) faults.push("no language or no title");
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) faults.push(`${wide} pixels too wide`);
  return faults;
}"""


def faults(page: Page) -> list[str]:
    """What keeps somebody from using this page."""
    found: list[str] = page.evaluate(FAULTS)
    return [f"{page.url}: {fault}" for fault in found]

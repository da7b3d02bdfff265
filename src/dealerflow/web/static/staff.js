// Keeps the staff's pages up to date while nobody is busy with them. Everything works without it.

import { pageAt, takeOver } from "./live.js";

const SOON = [300, 700, 1500, 3000]; // ms, after a decision: it is carried out by another process
const NOW_AND_THEN = 15_000;

const settles = () => document.querySelector("[data-settling], [data-live] .deciding") !== null;

/** Whether somebody is about to do something here that a fresh page would take away. */
function isBusy() {
  const live = [...document.querySelectorAll("[data-live]")];
  if (live.length === 0 || document.hidden) return true;
  return live.some(
    (part) =>
      part.querySelector("details[open], :is(input, textarea, select):focus") !== null ||
      [...part.querySelectorAll("input[type=checkbox], input[type=radio]")].some((box) => box.checked !== box.defaultChecked),
  );
}

async function refresh() {
  if (isBusy()) return;
  const html = await pageAt(location.href);
  if (html !== null && !isBusy()) takeOver(html);
}

let tries = 0;

function plan() {
  const soon = settles() && tries < SOON.length;
  const wait = soon ? SOON[tries++] : NOW_AND_THEN;
  if (!soon) tries = 0;
  setTimeout(async () => {
    await refresh();
    plan();
  }, wait);
}

/** An address that names a move (#ord_…-decline) unfolds it. */
function unfold() {
  const move = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (move instanceof HTMLDetailsElement) {
    move.open = true;
    move.querySelector("textarea, input:not([type=hidden]), button")?.focus();
  }
}

document.addEventListener("visibilitychange", refresh);
addEventListener("hashchange", unfold);
// After the browser's own jump to the address, which takes the focus away.
addEventListener("load", () => requestAnimationFrame(unfold));
if (document.querySelector("[data-live]")) plan();

// The tracking page: looks again by itself. Often while something is on its way, seldom otherwise, never unseen.
import { pageAt, takeOver } from "./live.js";

const SOON_MS = 1500;
const LATER_MS = 20000;
const SLOWER = 1.3;

let wait = SOON_MS;
document.documentElement.classList.add("scripted");

const parts = () => [...document.querySelectorAll("[data-live]")].map((part) => part.innerHTML).join();
const isMoving = () => document.querySelector("[data-moving]") !== null;

async function look() {
  if (!document.hidden) {
    const before = parts();
    // The order's own address: this page may have come from a form.
    const html = await pageAt(document.querySelector("#actions a").href);
    if (html) takeOver(html);
    wait = parts() === before ? Math.min(wait * SLOWER, LATER_MS) : SOON_MS;
  }
  next();
}

function next() {
  setTimeout(look, isMoving() ? Math.min(wait, 4 * SOON_MS) : LATER_MS);
}

next();

// The order page: asks for the price at each change, and keeps a form with faults from being sent.
import { pageAt, takeOver } from "./live.js";

const form = document.getElementById("order");
const PARTS_OF_THE_CAR = new Set(["dealership", "model", "trim", "colour", "options"]);
let asking = null;

document.documentElement.classList.add("scripted");

async function showPrice() {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  form.setAttribute("aria-busy", "true");
  const body = new URLSearchParams(new FormData(form));
  const html = await pageAt(form.dataset.price, { method: "POST", body, signal });
  if (signal.aborted) return;
  form.removeAttribute("aria-busy");
  if (html) takeOver(html);
  guard();
  remember();
}

// What cannot be had with the rest is closed. Without scripts it stays open: the page does not know yet what is chosen beside it.
// A broken rule is explained beside the option and in the summary; until it is mended there is nothing to order.
function guard() {
  const broken = document.querySelector("#summary .faults") !== null;
  for (const input of form.querySelectorAll("[data-closed]")) input.disabled = true;
  for (const button of form.querySelectorAll(".place")) button.disabled = broken;
}

// The address follows the choice, so that a reload or a bookmark finds the same car. It never holds personal data.
function remember() {
  const chosen = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (PARTS_OF_THE_CAR.has(name)) chosen.append(name, value);
  }
  history.replaceState(null, "", `/order?${chosen}`);
}

form.addEventListener("change", (event) => {
  if (PARTS_OF_THE_CAR.has(event.target.name)) showPrice();
});

let sent = false;
form.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
window.addEventListener("pageshow", () => {
  sent = false;
});

guard();

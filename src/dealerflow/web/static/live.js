// Replaces the parts of this page that are marked data-live by those of a fresh copy of it.
// The server writes the page; this only saves the reload, so that both ways look and read the same.

/** Takes over every data-live part of `html` whose id is on this page; keeps the focus where it was. */
export function takeOver(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const other = fresh.getElementById(part.id);
    if (other && other.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(other));
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** The page at this address as text; null where there is none now. */
export async function pageAt(address, options = {}) {
  try {
    const answer = await fetch(address, { credentials: "same-origin", ...options });
    return answer.ok && !answer.redirected ? await answer.text() : null;
  } catch {
    return null; // away, or called off: the page stays as it is
  }
}

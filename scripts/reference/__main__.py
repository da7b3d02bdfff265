"""python -m scripts.reference: writes every page that is made from the program."""

from __future__ import annotations

from scripts.reference.pages import DOCS, pages

if __name__ == "__main__":
    for name, text in pages().items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"docs/{name}")  # noqa: T201 - says what has changed

"""python -m scripts.reference: writes every page and file that is made from the program."""

from __future__ import annotations

from scripts.reference.pages import DOCS, ROOT, pages

if __name__ == "__main__":
    for name, text in pages().items():
        path = (DOCS / name).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT.resolve()))  # noqa: T201 - says what has changed

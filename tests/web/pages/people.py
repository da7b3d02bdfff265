"""People in front of pages, in this process: logged in, following links, sending the forms that they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

from httpx import Response

from tests.web.harness import PASSWORD, Client, address


@dataclass
class Form:
    """A form as a page shows it: where it goes, and what it sends if nothing is typed."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[str] = field(default_factory=list)


@dataclass
class Shown:
    """A page that was answered with: its words without marks, its forms and links."""

    answer: Response
    text: str
    forms: list[Form]
    links: list[str]

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def html(self) -> str:
        return self.answer.text

    def form(self, action: str, **fields: str) -> Form:
        """The one form that goes there and sends these values."""
        found = [f for f in self.forms if f.action == action and fields.items() <= dict(f.fields).items()]
        assert len(found) == 1, (
            f"{len(found)} forms for {action} {fields}, of {[f.action for f in self.forms]}"
        )
        return found[0]

    def outcomes(self, order: str) -> set[str]:
        """The outcomes of this order for which the page has a form."""
        to = f"/board/{order}/decisions"
        return {dict(form.fields)["outcome"] for form in self.forms if form.action == to}


class Person:
    """Somebody with a session of the demo's account `who` (None: nobody known)."""

    def __init__(self, anyone: Client, who: str | None, password: str = PASSWORD) -> None:
        self.system = anyone.system
        self._http = anyone.http
        self._http.cookies.clear()
        if who is not None:
            form = {"email": address(who), "password": password}
            answer = anyone.post("/api/v1/sessions", form)
            assert answer.status_code == 204, answer.text
        self.cookies = dict(self._http.cookies)

    def get(self, path: str) -> Shown:
        return self._show("GET", path)

    def send(self, action: str, fields: list[tuple[str, str]] | None = None) -> Shown:
        """Post a form; the browser does not follow to the next page by itself."""
        return self._show("POST", action, urlencode(fields or []).encode())

    def submit(self, form: Form, *typed: tuple[str, str], action: str | None = None) -> Shown:
        """Send a form as it was shown, with this typed in."""
        names = {name for name, _ in typed}
        kept = [(name, value) for name, value in form.fields if name not in names]
        return self.send(action or form.action, [*kept, *typed])

    def follow(self, shown: Shown) -> Shown:
        """Go where a form led."""
        assert shown.status == 303, f"{shown.status}: {shown.text}"
        return self.get(shown.answer.headers["location"])

    def decides(self, order: str, outcome: str, *typed: tuple[str, str]) -> Shown:
        """Decide on the order's page, as it stands now, and have it carried out."""
        page = self.get(f"/board/{order}")
        done = self.submit(page.form(f"/board/{order}/decisions", outcome=outcome), *typed)
        self.system.process()
        return done

    def _show(self, method: str, path: str, body: bytes | None = None) -> Shown:
        self._http.cookies.clear()
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = self._http.request(method, path, content=body, headers=headers, follow_redirects=False)
        self.cookies = {**self.cookies, **dict(self._http.cookies)}
        reader = _Reader()
        if answer.headers.get("content-type", "").startswith("text/html"):
            reader.feed(answer.text)
        return Shown(answer, " ".join(" ".join(reader.words).split()), reader.forms, reader.links)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._form: Form | None = None
        self._area: str | None = None
        self._select: str | None = None
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag in ("script", "style"):
            self._skipped += 1
        elif tag == "form":
            self._form = Form(at.get("action", ""))
            self.forms.append(self._form)
        elif tag == "a" and "href" in at:
            self.links.append(at["href"])
        elif self._form is not None:
            self._field(self._form, tag, at)

    def _field(self, form: Form, tag: str, at: dict[str, str]) -> None:
        name = at.get("name", "")
        if tag == "button":
            form.buttons.append(name)
        elif tag == "input" and name:
            ticked = at.get("type") not in ("checkbox", "radio") or "checked" in at
            if ticked:
                form.fields.append((name, at.get("value", "")))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in at:
            form.fields.append((self._select, at.get("value", "")))
        elif tag == "textarea":
            self._area = name
            form.fields.append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._skipped -= 1
        elif tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area is not None and self._form is not None:
            self._form.fields[-1] = (self._area, data)
        if not self._skipped:
            self.words.append(data)

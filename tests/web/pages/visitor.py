"""A person with a browser without JavaScript: follows links, fills in forms, keeps cookies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

from httpx import Response

from tests.web.harness import PASSWORD, Client

Typed = Mapping[str, str | Sequence[str] | None]


class Form:
    """A form as it stands on a page: its action and what a browser would send of it untouched."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: dict[str, list[str]] = {}


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._textarea: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append(Form(given.get("action") or ""))
        elif self.forms and given.get("name") and tag == "input":
            kept = given.get("type") not in {"radio", "checkbox"} or "checked" in given
            if kept and "disabled" not in given:
                self._add(str(given["name"]), given.get("value") or "")
        elif tag == "textarea":
            self._textarea = given.get("name")
            self._add(self._textarea or "", "")
        elif tag == "select":
            self._select = given.get("name")
        elif tag == "option" and self._select and "selected" in given:
            self._add(self._select, given.get("value") or "")

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.forms[-1].fields[self._textarea][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = None

    def _add(self, name: str, value: str) -> None:
        if self.forms:
            self.forms[-1].fields.setdefault(name, []).append(value)


def forms_of(page: str) -> list[Form]:
    parser = _Forms()
    parser.feed(page)
    return parser.forms


class Visitor:
    """One person. The client's cookies are this person's."""

    def __init__(self, client: Client, language: str = "en") -> None:
        self.system = client.system
        self.http = client.http
        self.http.follow_redirects = False
        self.headers = {"accept": "text/html", "accept-language": language}

    def get(self, address: str, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(_own(address), headers={**self.headers, **named})

    def send(self, address: str, fields: Mapping[str, str | Sequence[str]], **headers: str) -> Response:
        """Post these fields as a form."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = urlencode(fields, doseq=True)
        return self.http.post(address, content=body, headers={**self.headers, **kind, **named})

    def fill(self, page: Response, action: str, typed: Typed | None = None) -> Response:
        """Send the form on this page whose action begins so, with `typed` in it (None: the field is left out)."""
        form = next(form for form in forms_of(page.text) if form.action.startswith(action))
        fields: dict[str, str | Sequence[str]] = {**form.fields}
        for name, value in (typed or {}).items():
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = value
        return self.send(form.action, fields)

    def follow(self, answer: Response) -> Response:
        """Where a redirect leads."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"])

    def order(self, **typed: str | Sequence[str]) -> Response:
        """Order a car; the tracking page."""
        choice = {"dealership": "northside", "name": "Ana Núñez", "email": "ana@example.com", **typed}
        return self.follow(self.fill(self.get("/order"), "/order", choice))

    def log_in(self, email: str, password: str = PASSWORD) -> Response:
        return self.fill(self.get("/login"), "/login", {"email": email, "password": password})


def _own(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path

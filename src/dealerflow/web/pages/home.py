"""The start page."""

from __future__ import annotations

from dealerflow.web.pages.frame import HtmlResponse, Visit, get


@get("/")
def home(visit: Visit) -> HtmlResponse:
    """What Dealerflow is, for whoever comes by; those who are logged in go to their work."""
    if visit.account is not None:
        return visit.go("/board")
    return visit.show("home.html")


ROUTES = (home,)

"""The start page."""

from __future__ import annotations

import msgspec

from dealerflow.pipeline.definition import text_in
from dealerflow.web.pages.frame import HtmlResponse, Visit, get
from dealerflow.web.pages.login import AFTER_LOGIN
from dealerflow.web.pages.progress import usual_way
from dealerflow.web.system import DemoAccount


class HomePage(msgspec.Struct, frozen=True, kw_only=True):
    """`way` is a car's usual way, in titles. `demo`: who can log in to try it out."""

    way: tuple[str, ...]
    demo: tuple[DemoAccount, ...]


@get("/")
def home(visit: Visit) -> HtmlResponse:
    """What Dealerflow is, for whoever comes by; those who are logged in go to their work."""
    if visit.account is not None:
        return visit.go(AFTER_LOGIN)
    pipeline = visit.system.pipelines.current
    way = tuple(text_in(pipeline.states[name].title, visit.language) for name in usual_way(pipeline))
    return visit.show("home.html", HomePage(way=way, demo=visit.system.demo_accounts))


ROUTES = (home,)

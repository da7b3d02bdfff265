from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.harness import Client
from tests.web.pages.people import Person
from tests.web.pages.visitor import Visitor

PersonOf = Callable[[str | None], Person]


@pytest.fixture
def visitor(anyone: Client) -> Visitor:
    """Somebody with a browser without JavaScript, whom nobody knows yet."""
    return Visitor(anyone)


@pytest.fixture
def person(anyone: Client) -> PersonOf:
    """`person("quality")` logs the demo's quality lead in; `person(None)` is a stranger."""
    return lambda who: Person(anyone, who)

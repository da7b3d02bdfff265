"""What the tests in this folder rest on: a real browser, fresh profiles, JavaScript on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import PageOf

PAGE = "data:text/html,<title>plain</title><script>document.title='scripted'</script>"


@pytest.mark.parametrize(("javascript", "title"), [(True, "scripted"), (False, "plain")])
def test_scripts_run_only_where_they_are_switched_on(page_of: PageOf, javascript: bool, title: str) -> None:
    page = page_of(javascript=javascript)
    page.goto(PAGE)
    assert page.title() == title


def test_each_page_belongs_to_another_person(page_of: PageOf) -> None:
    one, other = page_of(), page_of(locale="es-ES")
    assert one.context is not other.context
    assert other.evaluate("navigator.language") == "es-ES"

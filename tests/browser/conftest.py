"""The system's Chromium, driven by Playwright, for tests that do what a person does."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, sync_playwright

from tests.browser.site import Site, site_over

# What a first start would do besides showing pages: look for updates, ask its maker's servers, sync.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Its sandbox needs rights that containers and root do not have; only our own pages are shown.
    "--no-sandbox",
]
TIMEOUT_MS = 15_000
CLOSES_WITHIN_S = 20.0
ENSURE_CHROMIUM = Path(__file__).parents[2] / "scripts" / "ensure-chromium"

REFUSED = "Content Security Policy"

PageOf = Callable[..., Page]


class Chromium:
    """A headless Chromium that is started when it is needed, and again if it had to be ended."""

    def __init__(self, playwright: Playwright, path: str) -> None:
        self._playwright = playwright
        self._path = path
        self._browser: Browser | None = None

    def context(self, **options: Any) -> BrowserContext:
        """A fresh profile."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(
                executable_path=self._path, args=QUIET, chromium_sandbox=False
            )
        return self._browser.new_context(**options)

    def close(self, what: BrowserContext | Browser | None = None) -> None:
        """Close a profile, or the whole. Chromium now and then never answers: then it is ended, which fails no test."""
        closing = what or self._browser
        if closing is None:
            return
        patience, began = threading.Timer(CLOSES_WITHIN_S, _end_chromium), time.monotonic()
        patience.start()
        try:
            closing.close()
        except Error:
            if time.monotonic() - began < CLOSES_WITHIN_S:
                raise
        finally:
            patience.cancel()


def _end_chromium() -> None:
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "chrom" in child.name():
                child.kill()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """The browser.

    One for each test file rather than for the whole session: while Playwright lives, its event loop counts as
    running in this thread, and no other file's tests could use asyncio.
    """
    # Not a skip where there is none: the script installs one, or says what to do and fails.
    path = subprocess.run([ENSURE_CHROMIUM], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    with sync_playwright() as playwright:
        started = Chromium(playwright, path)
        yield started
        started.close()


@pytest.fixture
def page_of(chromium: Chromium) -> Iterator[PageOf]:
    """`page_of(javascript=True, **options)` opens a page in a fresh profile: no cookies, nobody logged in.

    Each call is another person at another machine; `options` are those of Playwright's `new_context` (locale,
    viewport, base_url …). After the test no page may have met an error in its own scripts, gone against its content
    security policy, or asked another machine for anything.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(*, javascript: bool = True, **options: object) -> Page:
        context = chromium.context(java_script_enabled=javascript, **options)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        context.on(
            "weberror", lambda failure: errors.append(f"{failure.page and failure.page.url}: {failure.error}")
        )
        context.on("console", lambda said: errors.extend([said.text] if REFUSED in said.text else []))
        context.on("request", lambda asked: errors.extend([] if _is_here(asked.url) else [asked.url]))
        return context.new_page()

    yield open_page
    for context in contexts:
        chromium.close(context)
    assert errors == [], "a script failed, or a page asked for what it may not have"


def _is_here(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme not in {"http", "https"} or parts.hostname == "127.0.0.1"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Dealerflow with the demo's data on SQLite, on a free port; `site.process()` works its queues."""
    with site_over(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path) as running:
        yield running

"""A real browser for the tests of the web app: the system's Chromium, driven by Playwright.

Playwright's own browsers are not downloaded. On a machine without Chromium these tests skip and say so.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.person import TIMEOUT_MS, Person
from tests.support.system import RunningSystem

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where there is no browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here (Debian: apt-get install chromium)"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for the run; every person has a context of his own in it."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def person(browser: Browser, system: RunningSystem) -> Iterator[Callable[..., Person]]:
    """``person(funds=50_000)``: somebody new, signed in, at his balance. See ``Person`` for what else he can have.

    At the end nobody's page may have thrown an error or hit the Content-Security-Policy.
    """
    people: list[Person] = []

    def make(*, funds: int = 0, signed_in: bool = True, **context_options: object) -> Person:
        made = Person(browser, system.gateway_url, context_options)
        people.append(made)
        if funds:
            made.api.fund(funds)
        if signed_in:
            made.sign_in()
        return made

    yield make
    faults = [fault for made in people for fault in made.close()]
    assert faults == []

"""The installed Chromium, driven by Playwright, for the tests of the web app.

Playwright's own browsers are not downloaded. Without Chromium the tests are skipped with a reason.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.browser_user import TIMEOUT_MS, BrowserUser, NewUser
from tests.support.system import RunningSystem

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; skip them without a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here (Debian: apt-get install chromium)"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return the browser of the session; each user has a context in it."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def new_user(browser: Browser, system: RunningSystem) -> Iterator[NewUser]:
    """Return a function that creates a signed-in user: ``new_user(funds=50_000)``, with a balance in kopecks.

    Fail the test if a page raised an error or violated the Content-Security-Policy.
    """
    users: list[BrowserUser] = []

    def make(*, funds: int = 0, signed_in: bool = True, **context_options: object) -> BrowserUser:
        user = BrowserUser(browser, system.gateway_url, context_options)
        users.append(user)
        if funds:
            user.api.fund(funds)
        if signed_in:
            user.sign_in()
        return user

    yield make
    errors = [error for user in users for error in user.close()]
    assert errors == []

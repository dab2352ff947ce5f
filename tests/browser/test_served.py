"""What goes over the wire: policy, caching, weight, speed, and where the session id is."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Request, expect

from tests.browser.person import Person
from tests.support.system import RunningSystem

NEW_PERSON = Callable[..., Person]

#: Half of the 150 kB that the app may weigh; all of it is there to be seen, so it is packed and not minified.
WEIGHT_LIMIT_BYTES: Final = 75_000
USABLE_WITHIN_MS: Final = 1_000
PAGES: Final = (
    "/", "/sign-in", "/join", "/accept", "/write", "/checks/1234-5678-0001", "/top-up", "/top-up/return", "/history",
    "/statement", "/account",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_every_address_of_the_app_is_the_app(system: RunningSystem, path: str) -> None:
    """Never cached without asking, under a policy that allows no inline script and no third party."""
    answer = requests.get(system.gateway_url + path, timeout=20)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    policy = {rule.split()[0]: rule.split()[1:] for rule in answer.headers["Content-Security-Policy"].split(";")}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["trusted-types"] == ["'none'"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)


def test_assets_are_kept_for_ever_under_their_content_hash(system: RunningSystem) -> None:
    """And an unknown hash is nothing: old content never appears under a new name, nor new under an old."""
    page = requests.get(system.gateway_url, timeout=20)
    addresses = sorted(set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)))
    assert len({address.split("/")[2] for address in addresses}) == 1
    for address in addresses:
        answer = requests.get(system.gateway_url + address, timeout=20)
        assert answer.status_code == 200, address
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    stale = addresses[0].replace(addresses[0].split("/")[2], "0" * 16)
    assert requests.get(system.gateway_url + stale, timeout=20).status_code == 404
    again = requests.get(system.gateway_url, headers={"If-None-Match": page.headers["ETag"]}, timeout=20)
    assert again.status_code == 304


@pytest.mark.parametrize("locale", ["en-GB", "ru-RU"])
def test_weight_and_speed(person: NEW_PERSON, locale: str) -> None:
    """What a first visit loads over the wire, and how soon the balance is on the screen after a reload."""
    anna = person(locale=locale, signed_in=False)
    weights: dict[str, int] = {}
    anna.page.on("requestfinished", lambda request: weights.update(weigh(request)))
    anna.page.goto("/")
    anna.page.locator("[name=login]").fill(anna.api.login)
    anna.page.locator("[name=password]").fill(anna.api.password)
    anna.page.locator("button[type=submit]").click()
    expect(anna.balance).to_contain_text("₽")
    assert set(map(origin, weights)) == {anna.url}
    assert sum(weights.values()) < WEIGHT_LIMIT_BYTES, weights

    took: list[float] = []
    for _ in range(5):  # the best of five: what the app needs, without what the machine does besides
        anna.page.goto("/")
        expect(anna.balance).to_contain_text("₽")
        took.append(
            anna.page.evaluate(
                "performance.getEntriesByType('resource').find(r => r.name.endsWith('/balance')).responseEnd"
            )
        )
    assert min(took) < USABLE_WITHIN_MS, took


def test_modules_are_fetched_at_once(person: NEW_PERSON) -> None:
    """Every module that the page loads is in the preload list, so that none waits for another to be read."""
    page = person().page
    loaded = page.evaluate("performance.getEntriesByType('resource').map(r => new URL(r.name).pathname)")
    listed = page.evaluate(
        "[...document.querySelectorAll('link[rel=modulepreload]')].map(l => new URL(l.href).pathname)"
    )
    modules = {path for path in loaded if path.endswith(".js") and not re.search(r"/(app|early|i18n/\w+)\.js$", path)}
    assert modules == set(listed)


def test_where_the_session_id_is(person: NEW_PERSON) -> None:
    """In this tab's sessionStorage alone: on no disk, in no address, nowhere in the page; gone after signing out."""
    anna = person()
    page = anna.page
    session_id = page.evaluate("JSON.parse(sessionStorage.getItem('fastcheck.session')).sessionID")
    assert re.fullmatch(r"[0-9A-F]{32}", session_id)
    assert session_id not in page.evaluate("JSON.stringify(localStorage)")
    assert session_id not in page.content()
    assert session_id not in page.url
    assert anna.context.cookies() == []
    page.goto("/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('fastcheck.session')") is None


def weigh(request: Request) -> dict[str, int]:
    """Bytes on the wire of a file of the app; the API's answers are not its weight."""
    is_file = request.resource_type in {"document", "script", "stylesheet", "image", "manifest", "font"}
    return {request.url: request.sizes()["responseBodySize"]} if is_file else {}


def origin(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

"""Take the screenshots of the documentation: ``python -m tests.browser.screenshots`` writes ``docs/images``."""

import json
from base64 import b64encode
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from launcher.demo import own_system
from tests.browser.api import Api
from tests.browser.browser_user import PHONE, TIMEOUT_MS, BrowserUser, accept_link
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.support.system import ROOT

IMAGES: Final = ROOT / "docs" / "images"
DAY_SECONDS: Final = 86_400
ENGLISH: Final = "For the concert tickets"
RUSSIAN: Final = "За билеты на концерт"
#: A frame around several screenshots of a telephone.
FRAME: Final = (
    """<body style="margin:0;padding:24px;background:#d9d7d0;display:flex;gap:24px;width:max-content">{}</body>"""
)


def main() -> None:
    """Start a temporary system, create users and checks, and take all screenshots."""
    with own_system.started() as (_, url), sync_playwright() as playwright:
        expect.set_options(timeout=TIMEOUT_MS)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        _take_desktop(browser, url)
        _take_phone(browser, url)
        browser.close()


def _take_desktop(browser: Browser, url: str) -> None:
    for name, theme, height in (("home-light", "light", 560), ("check-dark", "dark", 700)):
        user, checks = _user_with_checks(browser, url, ENGLISH, _desktop(theme, height))
        if name == "check-dark":
            user.page.goto(f"/checks/{checks[-1]['fastcheck']}")
            expect(user.page.locator("svg rect, img").first).to_be_visible()
        _settle(user.page)
        user.page.screenshot(path=IMAGES / f"{name}.png")
        user.close()


def _take_phone(browser: Browser, url: str) -> None:
    phone = {**PHONE, "locale": "ru-RU", "device_scale_factor": 2}
    user, checks = _user_with_checks(browser, url, RUSSIAN, phone)
    shots = [_shot(user.page)]
    user.page.goto(f"/checks/{checks[-1]['fastcheck']}")
    shots.append(_shot(user.page))
    sender = Api(url)
    sender.fund(150_000)
    user.page.goto(accept_link(sender.create_check(150_000, note="Спасибо за фотографии")))
    user.page.get_by_role("button", name="Продолжить").click()
    expect(user.page.get_by_text("Спасибо за фотографии")).to_be_visible()
    shots.append(_shot(user.page))
    user.close()
    context = browser.new_context(device_scale_factor=2, viewport={"width": 1_152, "height": 788})
    page = context.new_page()
    images = "".join(f'<img width="352" src="data:image/png;base64,{b64encode(shot).decode()}">' for shot in shots)
    page.set_content(FRAME.format(images))
    page.locator("body").screenshot(path=IMAGES / "phone-ru.png")
    context.close()


def _user_with_checks(
    browser: Browser, url: str, note: str, options: dict[str, Any]
) -> tuple[BrowserUser, list[dict[str, Any]]]:
    """Return a signed-in user with a balance and three checks on the home page."""
    user = BrowserUser(browser, url, options)
    user.api.fund(1_000_000)
    checks = [
        user.api.create_check(99_000, expiresIn=30 * DAY_SECONDS),
        user.api.create_check(50_000, expiresIn=DAY_SECONDS),
        user.api.create_check(120_050, note=note),
    ]
    me = user.api.call("GET", "/me")
    session = {"sessionID": user.api.session_id, "userID": me["userID"], "expiresAt": "2999-01-01T00:00:00Z"}
    user.context.add_init_script(f"sessionStorage.setItem('fastcheck.session', {json.dumps(json.dumps(session))})")
    user.page.goto("/")
    expect(user.page.get_by_text(note)).to_be_visible()
    return user, checks


def _desktop(theme: str, height: int) -> dict[str, Any]:
    return {"viewport": {"width": 1_120, "height": height}, "device_scale_factor": 1.5, "color_scheme": theme}


def _settle(page: Page) -> None:
    """Wait until requests and transitions have ended."""
    page.wait_for_load_state("networkidle")
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")


def _shot(page: Page) -> bytes:
    _settle(page)
    return page.screenshot()


if __name__ == "__main__":
    main()

"""Accessibility, languages, themes, widths, keyboard, print and sharing."""

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import wrong_code
from tests.browser.browser_user import PHONE, BrowserUser, NewUser, accept_link, button

RULES: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
NARROWEST: Final = {**PHONE, "viewport": {"width": 320, "height": 640}}
DESKTOP: Final = {"viewport": {"width": 1280, "height": 860}}


@cache
def axe() -> str:
    """Return the source of axe-core from the installed package."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Return the violations that axe finds on the current page."""
    page.evaluate(axe())
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, rules)", RULES)
    return [f"{page.url}: {error['id']}: {node['html']}" for error in found["violations"] for node in error["nodes"]]


def settle(page: Page) -> None:
    """Wait until the page is rendered and no placeholder is left."""
    expect(page.locator("main h1")).to_be_attached()
    expect(page.locator(".bone")).to_have_count(0)


def examine(page: Page) -> list[str]:
    """Return the violations that axe finds, and whether the page overflows horizontally."""
    settle(page)
    over = int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
    return violations(page) + ([f"{page.url}: sticks out by {over} px"] if over > 0 else [])


def create_checks(alice: BrowserUser) -> list[dict[str, Any]]:
    """Create a check of a large amount, an accepted one and a frozen one."""
    large, used, frozen = (
        alice.api.create_check(123_456_789, note="Ж" * 140),
        alice.api.create_check(1_000),
        alice.api.create_check(2_000),
    )
    alice.api.accept(used)
    guess = {"fastcheck": frozen["fastcheck"], "code": wrong_code(frozen)}
    for _ in range(5):
        alice.api.call("POST", "/fastcheck/preview", guess, status=404)
    return [large, used, frozen]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("locale", "width"), [("ru-RU", NARROWEST), ("en-GB", DESKTOP)], ids=["ru-320", "en-1280"])
def test_every_page_is_accessible_and_does_not_overflow(
    new_user: NewUser, locale: str, width: dict[str, Any], scheme: str
) -> None:
    alice = new_user(
        funds=200_000_000, signed_in=False, locale=locale, color_scheme=scheme, reduced_motion="reduce", **width
    )
    page = alice.page
    errors: list[str] = []
    for path in ("/sign-in", "/join"):
        page.goto(path)
        page.locator("button[type=submit]").click()
        expect(page.locator("[aria-invalid]").first).to_be_visible()
        errors += examine(page)

    checks = create_checks(alice)
    topup = alice.api.call("GET", "/topup")["topups"][0]["transactionID"]

    page.goto("/sign-in")
    page.locator("[name=login]").fill(alice.api.login)
    page.locator("[name=password]").fill(alice.api.password)
    page.locator("button[type=submit]").click()
    errors += examine(page)
    for path in (
        "/write", "/accept", "/top-up", f"/top-up/{topup}", "/history", "/statement", "/account",
        *(f"/checks/{check['fastcheck']}" for check in checks), "/checks/0000-0000-0000", accept_link(checks[0]),
    ):  # fmt: skip
        page.goto(path)
        errors += examine(page)
    page.locator("button[type=submit]").click()
    expect(page.locator(".check-amount")).to_be_visible()
    errors += examine(page)
    page.locator("button[type=submit]").click()
    expect(page.locator(".done")).to_be_visible()
    errors += examine(page)
    assert errors == []


def test_empty_pages_and_dialog_are_accessible(new_user: NewUser) -> None:
    """Empty pages state the next step."""
    alice = new_user(**PHONE)
    expect(alice.page.get_by_text("Top up your balance to write a check")).to_be_visible()
    errors = examine(alice.page)
    for path, words in (("/history", "No transactions yet"), ("/statement", "No transactions yet")):
        alice.page.goto(path)
        expect(alice.page.get_by_text(words)).to_be_visible()
        errors += examine(alice.page)
    alice.go("/account", "Account")
    button(alice.page, "Sign out on all devices").click()
    expect(alice.page.get_by_role("dialog", name="Sign out on all devices?")).to_be_visible()
    errors += violations(alice.page)
    assert errors == []


def test_language_follows_the_browser_until_the_user_chooses_one(new_user: NewUser) -> None:
    """The choice applies to texts and amounts and survives a reload."""
    alice = new_user(funds=123_450, signed_in=False, locale="ru-RU")
    page = alice.page
    page.goto("/")
    expect(page.get_by_role("heading", level=1, name="Войти")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    button(page, "English").click()
    expect(button(page, "English")).to_be_focused()
    alice.fill_sign_in()
    expect(alice.balance).to_have_text("₽1,234.50")
    button(page, "Русский").click()
    expect(alice.balance).to_have_text(re.compile(r"1\s234,50\s₽"))
    page.reload()
    expect(page.get_by_role("heading", name="Баланс")).to_be_visible()


def test_dictionaries_have_the_same_keys_and_placeholders(new_user: NewUser) -> None:
    page = new_user().page
    base = page.locator("script[type=module]").get_attribute("src")
    assert base is not None
    holes = """async (base) => {
      const load = async (name) => (await import(base.replace('app.js', `i18n/${name}.js`))).default;
      const holes = (text) => [...String(text).matchAll(/\\{\\w+\\}/g)].map(String).sort();
      const [en, ru] = [await load('en'), await load('ru')];
      const keys = new Set([...Object.keys(en), ...Object.keys(ru)]);
      return [...keys].filter((key) => !(key in en) || !(key in ru) || `${holes(en[key])}` !== `${holes(ru[key])}`);
    }"""
    assert page.evaluate(holes, base) == []


@pytest.mark.parametrize(
    ("locale", "typed", "formatted"),
    [
        ("en-GB", "1,500", "1,500"),
        ("en-GB", "1500,5", "1,500.50"),
        ("en-GB", "1,234,567.80", "1,234,567.80"),
        ("ru-RU", "1 500,5", "1\u00a0500,50"),
        ("ru-RU", "1500.05", "1\u00a0500,05"),
    ],
)
def test_amount_is_parsed_and_formatted_for_the_locale(
    new_user: NewUser, locale: str, typed: str, formatted: str
) -> None:
    """Decimal comma and point and grouped thousands are accepted."""
    page = new_user(locale=locale, signed_in=False).page
    page.goto("/")
    read = """async ([app, typed]) => {
      const { parseMoney, plainMoney } = await import(app.replace('app.js', 'money.js'));
      return plainMoney(parseMoney(typed, 'RUB'), 'RUB');
    }"""
    assert page.evaluate(read, [page.locator("script[type=module]").get_attribute("src"), typed]) == formatted


def test_chosen_theme_overrides_the_system_from_the_first_paint(new_user: NewUser) -> None:
    alice = new_user(color_scheme="light")
    alice.go("/account", "Account")
    alice.page.get_by_text("Dark", exact=True).click()
    alice.page.goto("/")
    expect(alice.page.locator("html")).to_have_attribute("data-theme", "dark")
    assert alice.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 19)"


def test_check_is_created_and_cancelled_by_keyboard(new_user: NewUser) -> None:
    alice = new_user(funds=10_000, signed_in=False)
    page, press = alice.page, alice.page.keyboard.press
    page.goto("/sign-in")
    expect(page.get_by_label("Login")).to_be_visible()
    press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    press("Enter")
    press("Tab")
    page.keyboard.type(alice.api.login)
    press("Tab")
    page.keyboard.type(alice.api.password)
    press("Enter")
    expect(page.get_by_role("heading", name="Balance")).to_be_focused()

    page.get_by_role("link", name="Write", exact=True).focus()
    press("Enter")
    expect(page.get_by_role("heading", name="Write a check")).to_be_focused()
    press("Tab")
    page.keyboard.type("25")
    press("Tab")
    press("Tab")
    press("ArrowLeft")
    expect(page.get_by_label("1 day")).to_be_checked()
    press("Tab")
    press("Enter")
    expect(page.locator(".check-amount")).to_have_text("₽25")

    button(page, "Show").focus()
    press("Space")
    expect(page.locator(".check-code")).to_have_text(re.compile(r"^\d{4}$"))
    button(page, "Cancel check").focus()
    press("Enter")
    expect(button(page, "Cancel")).to_be_focused()
    press("Escape")
    expect(button(page, "Cancel check")).to_be_focused()


@pytest.mark.parametrize("with_code", [False, True])
def test_print_fits_one_page_and_holds_the_code_only_on_request(new_user: NewUser, *, with_code: bool) -> None:
    alice = new_user(funds=10_000)
    check = alice.api.create_check(2_500, note="For lunch")
    alice.go(f"/checks/{check['fastcheck']}", "Check")
    expect(alice.page.locator(".qr img")).to_be_visible()
    if with_code:
        alice.page.get_by_label("Include the code").check()
        expect(alice.page.get_by_role("img", name="with its code")).to_be_visible()
    paper = alice.page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    alice.page.emulate_media(media="print")
    code = alice.page.locator(".check-stub").get_by_text(check["code"], exact=True)
    expect(code).to_be_visible() if with_code else expect(code).to_be_hidden()
    expect(alice.page.get_by_role("navigation")).to_be_hidden()


def test_shared_and_copied_link_hold_the_code_only_on_request(new_user: NewUser) -> None:
    alice = new_user(funds=10_000, permissions=["clipboard-read", "clipboard-write"])
    alice.context.add_init_script("navigator.share = async (what) => { globalThis.shared = what; };")
    check = alice.api.create_check(2_500)
    alice.go(f"/checks/{check['fastcheck']}", "Check")
    button(alice.page, "Share").click()
    shared = alice.page.evaluate("shared")
    assert shared["url"] == alice.url + accept_link(check, with_code=False)
    assert f"code {check['code']}" not in shared["text"]
    button(alice.page, "Copy link").click()
    expect(alice.page.get_by_text("Copied")).to_be_visible()
    assert alice.page.evaluate("navigator.clipboard.readText()") == alice.url + accept_link(check, with_code=False)
    alice.page.get_by_label("Include the code").check()
    button(alice.page, "Share").click()
    shared = alice.page.evaluate("shared")
    assert shared["url"] == alice.url + accept_link(check)
    assert check["code"] in shared["text"]

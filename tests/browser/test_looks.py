"""Accessible, in both languages, themes and widths; usable by keyboard; printable on one page."""

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import wrong_code
from tests.browser.person import TELEPHONE, Person, accept_link, button

NEW_PERSON = Callable[..., Person]

RULES: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
NARROWEST: Final = {**TELEPHONE, "viewport": {"width": 320, "height": 640}}
DESKTOP: Final = {"viewport": {"width": 1280, "height": 860}}


@cache
def axe() -> str:
    """The axe-core that the package carries."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it stands."""
    page.evaluate(axe())
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, rules)", RULES)
    return [f"{page.url}: {fault['id']}: {node['html']}" for fault in found["violations"] for node in fault["nodes"]]


def settle(page: Page) -> None:
    """The page is there, and no grey bar is left."""
    expect(page.locator("main h1")).to_be_attached()
    expect(page.locator(".bone")).to_have_count(0)


def look(page: Page) -> list[str]:
    """axe, and whether anything sticks out at the side."""
    settle(page)
    over = int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
    return violations(page) + ([f"{page.url}: sticks out by {over} px"] if over > 0 else [])


def several_checks(anna: Person) -> list[dict[str, Any]]:
    """One as large as can be, one that was accepted, one that is frozen."""
    large, used, frozen = (
        anna.api.write_check(123_456_789, note="Ж" * 140),
        anna.api.write_check(1_000),
        anna.api.write_check(2_000),
    )
    anna.api.accept(used)
    guess = {"fastcheck": frozen["fastcheck"], "code": wrong_code(frozen)}
    for _ in range(5):
        anna.api.call("POST", "/fastcheck/preview", guess, status=404)
    return [large, used, frozen]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("locale", "width"), [("ru-RU", NARROWEST), ("en-GB", DESKTOP)], ids=["ru-320", "en-1280"])
def test_every_page(person: NEW_PERSON, locale: str, width: dict[str, Any], scheme: str) -> None:
    """axe finds nothing, and nothing sticks out."""
    anna = person(
        funds=200_000_000, signed_in=False, locale=locale, color_scheme=scheme, reduced_motion="reduce", **width
    )
    page = anna.page
    faults: list[str] = []
    for path in ("/sign-in", "/join"):
        page.goto(path)
        page.locator("button[type=submit]").click()
        expect(page.locator("[aria-invalid]").first).to_be_visible()
        faults += look(page)

    checks = several_checks(anna)
    topup = anna.api.call("GET", "/topup")["topups"][0]["transactionID"]

    page.goto("/sign-in")
    page.locator("[name=login]").fill(anna.api.login)
    page.locator("[name=password]").fill(anna.api.password)
    page.locator("button[type=submit]").click()
    faults += look(page)
    for path in (
        "/write", "/accept", "/top-up", f"/top-up/{topup}", "/history", "/statement", "/account",
        *(f"/checks/{check['fastcheck']}" for check in checks), "/checks/0000-0000-0000", accept_link(checks[0]),
    ):  # fmt: skip
        page.goto(path)
        faults += look(page)
    page.locator("button[type=submit]").click()
    expect(page.locator(".check-amount")).to_be_visible()
    faults += look(page)
    page.locator("button[type=submit]").click()
    expect(page.locator(".done")).to_be_visible()
    faults += look(page)
    assert faults == []


def test_empty_pages_and_the_dialog(person: NEW_PERSON) -> None:
    """What a newcomer sees says what to do; the dialog is as accessible as the rest."""
    anna = person(**TELEPHONE)
    expect(anna.page.get_by_text("Top up your balance to write a check")).to_be_visible()
    faults = look(anna.page)
    for path, words in (("/history", "No transactions yet"), ("/statement", "No transactions yet")):
        anna.page.goto(path)
        expect(anna.page.get_by_text(words)).to_be_visible()
        faults += look(anna.page)
    anna.go("/account", "Account")
    button(anna.page, "Sign out on all devices").click()
    expect(anna.page.get_by_role("dialog", name="Sign out on all devices?")).to_be_visible()
    faults += violations(anna.page)
    assert faults == []


def test_languages(person: NEW_PERSON) -> None:
    """The browser's at first, then the chosen one, for good; amounts and words change together."""
    anna = person(funds=123_450, signed_in=False, locale="ru-RU")
    page = anna.page
    page.goto("/")
    expect(page.get_by_role("heading", level=1, name="Войти")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    button(page, "English").click()
    expect(button(page, "English")).to_be_focused()
    anna.fill_sign_in()
    expect(anna.balance).to_have_text("₽1,234.50")
    button(page, "Русский").click()
    expect(anna.balance).to_have_text(re.compile(r"1\s234,50\s₽"))
    page.reload()
    expect(page.get_by_role("heading", name="Баланс")).to_be_visible()


def test_dictionaries_have_the_same_entries(person: NEW_PERSON) -> None:
    """And the same holes to fill in."""
    page = person().page
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
    ("locale", "typed", "kept"),
    [
        ("en-GB", "1,500", "1,500"),
        ("en-GB", "1500,5", "1,500.50"),
        ("en-GB", "1,234,567.80", "1,234,567.80"),
        ("ru-RU", "1 500,5", "1\u00a0500,50"),
        ("ru-RU", "1500.05", "1\u00a0500,05"),
    ],
)
def test_amounts_are_read_as_they_are_written(person: NEW_PERSON, locale: str, typed: str, kept: str) -> None:
    """With comma or point, with thousands grouped or not; left, the field shows what was understood."""
    page = person(locale=locale, signed_in=False).page
    page.goto("/")
    read = """async ([app, typed]) => {
      const { parseMoney, plainMoney } = await import(app.replace('app.js', 'money.js'));
      return plainMoney(parseMoney(typed, 'RUB'), 'RUB');
    }"""
    assert page.evaluate(read, [page.locator("script[type=module]").get_attribute("src"), typed]) == kept


def test_theme_is_kept(person: NEW_PERSON) -> None:
    """Chosen by hand it beats the system's, from the first paint of the next visit on."""
    anna = person(color_scheme="light")
    anna.go("/account", "Account")
    anna.page.get_by_text("Dark", exact=True).click()
    anna.page.goto("/")
    expect(anna.page.locator("html")).to_have_attribute("data-theme", "dark")
    assert anna.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 19)"


def test_by_keyboard_alone(person: NEW_PERSON) -> None:
    """Skip link, sign in, write a check, show its code, cancel it: no mouse."""
    anna = person(funds=10_000, signed_in=False)
    page, press = anna.page, anna.page.keyboard.press
    page.goto("/sign-in")
    expect(page.get_by_label("Login")).to_be_visible()
    press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    press("Enter")
    press("Tab")
    page.keyboard.type(anna.api.login)
    press("Tab")
    page.keyboard.type(anna.api.password)
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
def test_print_fits_one_page(person: NEW_PERSON, *, with_code: bool) -> None:
    """The code is on the paper only when that was asked for."""
    anna = person(funds=10_000)
    check = anna.api.write_check(2_500, note="For lunch")
    anna.go(f"/checks/{check['fastcheck']}", "Check")
    expect(anna.page.locator(".qr img")).to_be_visible()
    if with_code:
        anna.page.get_by_label("Include the code").check()
        expect(anna.page.get_by_role("img", name="with its code")).to_be_visible()
    paper = anna.page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    anna.page.emulate_media(media="print")
    code = anna.page.locator(".check-stub").get_by_text(check["code"], exact=True)
    expect(code).to_be_visible() if with_code else expect(code).to_be_hidden()
    expect(anna.page.get_by_role("navigation")).to_be_hidden()


def test_share_and_copy_take_the_code_only_when_asked(person: NEW_PERSON) -> None:
    """Web Share where there is one; the link that is copied opens the accept page."""
    anna = person(funds=10_000, permissions=["clipboard-read", "clipboard-write"])
    anna.context.add_init_script("navigator.share = async (what) => { globalThis.shared = what; };")
    check = anna.api.write_check(2_500)
    anna.go(f"/checks/{check['fastcheck']}", "Check")
    button(anna.page, "Share").click()
    shared = anna.page.evaluate("shared")
    assert shared["url"] == anna.url + accept_link(check, with_code=False)
    assert f"code {check['code']}" not in shared["text"]
    button(anna.page, "Copy link").click()
    expect(anna.page.get_by_text("Copied")).to_be_visible()
    assert anna.page.evaluate("navigator.clipboard.readText()") == anna.url + accept_link(check, with_code=False)
    anna.page.get_by_label("Include the code").check()
    button(anna.page, "Share").click()
    shared = anna.page.evaluate("shared")
    assert shared["url"] == anna.url + accept_link(check)
    assert check["code"] in shared["text"]

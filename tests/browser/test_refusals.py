"""Each refusal in plain words, beside the field it is about."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.api import wrong_code
from tests.browser.person import Person, button

NEW_PERSON = Callable[..., Person]


def field_error(page: Page, label: str) -> str:
    """What is said beside a field, once something is."""
    field = page.get_by_label(label, exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    described = (field.get_attribute("aria-describedby") or "").split()
    return " ".join(page.locator(f"[id='{name}']").inner_text() for name in described if name.endswith("-error"))


def test_wrong_codes_until_the_check_freezes(person: NEW_PERSON) -> None:
    """Four are told beside the code; after the fifth the page says how long to wait, and the owner is told too."""
    anna = person(funds=10_000)
    check = anna.api.write_check(4_000)
    boris = person()
    boris.go("/accept", "Accept a check")
    boris.page.get_by_label("Number").fill(check["fastcheck"])
    for _ in range(5):
        boris.page.get_by_label("Code").fill(wrong_code(check))
        button(boris.page, "Continue").click()
        assert "Incorrect number or code" in field_error(boris.page, "Code")
    boris.page.get_by_label("Code").fill(check["code"])
    button(boris.page, "Continue").click()
    expect(boris.page.locator(".form-error")).to_contain_text("Try again in 14:5")

    anna.go(f"/checks/{check['fastcheck']}", "Check")
    expect(anna.page.get_by_text("wrong code was entered five times")).to_be_visible()
    expect(anna.page.locator(".badge")).to_have_text("Frozen")


def test_used_cancelled_expired(person: NEW_PERSON) -> None:
    """Three ends, three sentences."""
    anna = person(funds=10_000)
    used, cancelled, expired = (anna.api.write_check(1_000, **life) for life in ({}, {}, {"expiresIn": 1}))
    anna.api.accept(used)
    anna.api.call("POST", f"/fastcheck/{cancelled['fastcheck']}/cancel")
    boris = person()
    for check, words in (
        (used, "has already been accepted"),
        (cancelled, "cancelled this check"),
        (expired, "has expired"),
    ):
        boris.go("/history", "History")
        boris.review(check)
        expect(boris.page.get_by_role("alert")).to_contain_text(words)


def test_accepted_by_another_while_looking_at_it(person: NEW_PERSON) -> None:
    """The look was good, the money is gone: said at the button."""
    anna = person(funds=10_000)
    check = anna.api.write_check(4_000)
    boris = person()
    boris.review(check)
    expect(button(boris.page, "Get ₽40")).to_be_visible()
    anna.api.accept(check)
    button(boris.page, "Get ₽40").click()
    expect(boris.page.get_by_role("alert")).to_contain_text("has already been accepted")


def test_amounts(person: NEW_PERSON) -> None:
    """Not an amount, too many decimals, more than there is."""
    anna = person(funds=10_000)
    anna.go("/write", "Write a check")
    for typed, words in (
        ("", "Enter an amount"),
        ("abc", "Enter an amount"),
        ("0", "Enter an amount"),
        ("1.234", "Enter an amount"),
        ("100.01", "Insufficient funds: ₽100 available"),
    ):
        anna.page.get_by_label("Amount", exact=True).fill(typed)
        button(anna.page, "Write a check").click()
        assert words in field_error(anna.page, "Amount")
    assert anna.api.active_checks() == []


def test_money_spent_elsewhere_meanwhile(person: NEW_PERSON) -> None:
    """The server has the last word about the balance, and its refusal is about the amount."""
    anna = person(funds=10_000)
    anna.go("/write", "Write a check")
    expect(anna.page.get_by_text("Available: ₽100")).to_be_visible()
    anna.page.route("**/balance", lambda route: route.abort())
    anna.api.write_check(10_000)
    anna.page.get_by_label("Amount", exact=True).fill("50")
    button(anna.page, "Write a check").click()
    assert "Insufficient funds" in field_error(anna.page, "Amount")


def test_joining(person: NEW_PERSON) -> None:
    """Too short, not allowed, taken."""
    anna = person(signed_in=False)
    page = anna.page
    page.goto("/join")
    page.get_by_label("Login").fill("Ж")
    page.get_by_label("Password", exact=True).fill("short")
    button(page, "Create account").click()
    assert "3 to 64 characters" in field_error(page, "Login")
    assert "At least 8 characters" in field_error(page, "Password")
    page.get_by_label("Login").fill(anna.api.login.upper())
    page.get_by_label("Password", exact=True).fill("long enough")
    button(page, "Create account").click()
    expect(page.get_by_text("This login is taken")).to_be_visible()
    expect(page.get_by_label("Login")).to_be_focused()


def test_somebody_elses_check_is_not_shown(person: NEW_PERSON) -> None:
    """Nor does its page tell that it exists."""
    anna = person(funds=10_000)
    check = anna.api.write_check(1_000)
    boris = person()
    boris.go(f"/checks/{check['fastcheck']}", "Check")
    expect(boris.page.get_by_text("Check not found")).to_be_visible()


def test_a_note_is_text(person: NEW_PERSON) -> None:
    """Whatever somebody wrote is shown as he wrote it, and does nothing."""
    note = "<img src=x onerror=\"document.title='owned'\"><b>hello</b>"
    anna = person(funds=10_000)
    check = anna.api.write_check(1_000, note=note)
    boris = person()
    boris.review(check)
    expect(boris.page.locator(".check-note")).to_have_text(note)
    anna.go("/", "Balance")
    expect(anna.page.locator(".row-sub")).to_have_text(note)
    assert boris.page.locator(".check-note *").count() == 0

"""Error messages of the forms: each appears beside the field that it is about."""

from playwright.sync_api import Page, expect

from tests.browser.api import wrong_code
from tests.browser.browser_user import NewUser, button


def field_error(page: Page, label: str) -> str:
    """Return the error beside a field; wait until there is one."""
    field = page.get_by_label(label, exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    described = (field.get_attribute("aria-describedby") or "").split()
    return " ".join(page.locator(f"[id='{name}']").inner_text() for name in described if name.endswith("-error"))


def test_fifth_wrong_code_freezes_the_check(new_user: NewUser) -> None:
    """Wrong codes are reported beside the field; then the page shows the wait, and the creator sees the freeze."""
    alice = new_user(funds=10_000)
    check = alice.api.create_check(4_000)
    bob = new_user()
    bob.go("/accept", "Accept a check")
    bob.page.get_by_label("Number").fill(check["fastcheck"])
    for _ in range(5):
        bob.page.get_by_label("Code").fill(wrong_code(check))
        button(bob.page, "Continue").click()
        assert "Incorrect number or code" in field_error(bob.page, "Code")
    bob.page.get_by_label("Code").fill(check["code"])
    button(bob.page, "Continue").click()
    expect(bob.page.locator(".form-error")).to_contain_text("Try again in 14:5")

    alice.go(f"/checks/{check['fastcheck']}", "Check")
    expect(alice.page.get_by_text("wrong code was entered five times")).to_be_visible()
    expect(alice.page.locator(".badge")).to_have_text("Frozen")


def test_ended_check_is_reported_with_its_status(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    used, cancelled, expired = (alice.api.create_check(1_000, **life) for life in ({}, {}, {"expiresIn": 1}))
    alice.api.accept(used)
    alice.api.call("POST", f"/fastcheck/{cancelled['fastcheck']}/cancel")
    bob = new_user()
    for check, words in (
        (used, "has already been accepted"),
        (cancelled, "cancelled this check"),
        (expired, "has expired"),
    ):
        bob.go("/history", "History")
        bob.review(check)
        expect(bob.page.get_by_role("alert")).to_contain_text(words)


def test_check_accepted_after_the_preview_is_reported_at_the_button(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    check = alice.api.create_check(4_000)
    bob = new_user()
    bob.review(check)
    expect(button(bob.page, "Get ₽40")).to_be_visible()
    alice.api.accept(check)
    button(bob.page, "Get ₽40").click()
    expect(bob.page.get_by_role("alert")).to_contain_text("has already been accepted")


def test_invalid_amount_is_reported_and_no_check_is_created(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    alice.go("/write", "Write a check")
    for typed, words in (
        ("", "Enter an amount"),
        ("abc", "Enter an amount"),
        ("0", "Enter an amount"),
        ("1.234", "Enter an amount"),
        ("100.01", "Insufficient funds: ₽100 available"),
    ):
        alice.page.get_by_label("Amount", exact=True).fill(typed)
        button(alice.page, "Write a check").click()
        assert words in field_error(alice.page, "Amount")
    assert alice.api.active_checks() == []


def test_insufficient_funds_from_the_server_is_reported_at_the_amount(new_user: NewUser) -> None:
    """The page shows an outdated balance."""
    alice = new_user(funds=10_000)
    alice.go("/write", "Write a check")
    expect(alice.page.get_by_text("Available: ₽100")).to_be_visible()
    alice.page.route("**/balance", lambda route: route.abort())
    alice.api.create_check(10_000)
    alice.page.get_by_label("Amount", exact=True).fill("50")
    button(alice.page, "Write a check").click()
    assert "Insufficient funds" in field_error(alice.page, "Amount")


def test_invalid_or_taken_login_is_reported_at_the_field(new_user: NewUser) -> None:
    alice = new_user(signed_in=False)
    page = alice.page
    page.goto("/join")
    page.get_by_label("Login").fill("Ж")
    page.get_by_label("Password", exact=True).fill("short")
    button(page, "Create account").click()
    assert "3 to 64 characters" in field_error(page, "Login")
    assert "At least 8 characters" in field_error(page, "Password")
    page.get_by_label("Login").fill(alice.api.login.upper())
    page.get_by_label("Password", exact=True).fill("long enough")
    button(page, "Create account").click()
    expect(page.get_by_text("This login is taken")).to_be_visible()
    expect(page.get_by_label("Login")).to_be_focused()


def test_check_of_another_user_is_reported_as_unknown(new_user: NewUser) -> None:
    """The response does not reveal that the check exists."""
    alice = new_user(funds=10_000)
    check = alice.api.create_check(1_000)
    bob = new_user()
    bob.go(f"/checks/{check['fastcheck']}", "Check")
    expect(bob.page.get_by_text("Check not found")).to_be_visible()


def test_note_with_markup_is_shown_as_text(new_user: NewUser) -> None:
    note = "<img src=x onerror=\"document.title='owned'\"><b>hello</b>"
    alice = new_user(funds=10_000)
    check = alice.api.create_check(1_000, note=note)
    bob = new_user()
    bob.review(check)
    expect(bob.page.locator(".check-note")).to_have_text(note)
    alice.go("/", "Balance")
    expect(alice.page.locator(".row-sub")).to_have_text(note)
    assert bob.page.locator(".check-note *").count() == 0

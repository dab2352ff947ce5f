"""Complete flows of the web app: top-up, check, expiry, cancellation, account."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.browser_user import PHONE, BrowserUser, NewUser, accept_link, button


def pay_at_bank(page: Page, card: str) -> None:
    """Fill in the card on the bank's page and pay."""
    page.locator("[name=card_number]").fill(card)
    page.locator("[name=expiry]").fill("12/30")
    page.locator("[name=cvc]").fill("123")
    page.locator("button[value=pay], button[type=submit]").first.click()


def test_check_is_funded_created_and_accepted_by_link(new_user: NewUser) -> None:
    """The acceptor opens the link without a session and signs in on the way."""
    alice, bob = new_user(signed_in=False, **PHONE), new_user(signed_in=False)
    register(alice)
    top_up(alice)
    check = create_check(alice)
    accept_by_link(bob, check)
    expect_accepted(alice)
    bob.go("/history", "History")
    expect(bob.page.locator("main .row")).to_contain_text(["Check received"])


def register(alice: BrowserUser) -> None:
    """Create an account on the first page."""
    page = alice.page
    page.goto("/")
    page.get_by_role("link", name="Create account").click()
    page.get_by_label("Login").fill(alice.api.login + "-2")
    page.get_by_label("Password", exact=True).fill(alice.api.password)
    button(page, "Create account").click()
    expect(alice.balance).to_have_text("₽0.00")


def top_up(alice: BrowserUser) -> None:
    """Top up at the bank and return; the result survives a reload."""
    page = alice.page
    page.locator(".balance-actions").get_by_role("link", name="Top up").click()
    button(page, "₽1,000").click()
    button(page, "Continue to payment").click()
    pay_at_bank(page, "4111 1111 1111 1111")
    expect(page.get_by_role("heading", name="Balance topped up")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Balance topped up")).to_be_visible()
    expect(alice.balance).to_have_text("₽1,000.00")


def create_check(alice: BrowserUser) -> dict[str, str]:
    """Create a check and return its number and code; the code is hidden until it is requested."""
    page = alice.page
    page.get_by_role("link", name="Write", exact=True).click()
    page.get_by_label("Amount", exact=True).fill("150,50")
    page.get_by_label("Message to the recipient").fill("For lunch")
    page.get_by_text("1 day", exact=True).click()
    button(page, "Write a check").click()
    expect(page.get_by_text("Active")).to_be_visible()
    expect(page.locator(".check-amount")).to_have_text("₽150.50")
    expect(page.get_by_text(re.compile("23 hrs? 59 mins? left"))).to_be_visible()
    expect(page.locator(".qr img")).to_be_visible()
    number = page.locator(".check-number").inner_text()
    assert re.fullmatch(r"\d{4}-\d{4}-\d{4}", number)
    expect(page.locator(".check-code")).to_have_text("••••")
    button(page, "Show").click()
    expect(page.locator(".check-code")).to_have_text(re.compile(r"^\d{4}$"))
    return {"fastcheck": number, "code": page.locator(".check-code").inner_text()}


def accept_by_link(bob: BrowserUser, check: dict[str, str]) -> None:
    """Accept through the sign-in page; the code appears in no address."""
    page = bob.page
    page.goto(accept_link(check))
    expect(page.get_by_text("To get the money")).to_be_visible()
    assert urlsplit(page.url)[2:] == ("/sign-in", "", "")
    bob.fill_sign_in()
    expect(page.get_by_label("Code")).to_have_value(check["code"])
    assert urlsplit(page.url)[2:] == ("/accept", "", "")
    button(page, "Continue").click()
    expect(page.locator(".check-amount")).to_have_text("₽150.50")
    expect(page.get_by_text("For lunch")).to_be_visible()
    button(page, "Get ₽150.50").click()
    expect(page.get_by_role("heading", name="You received ₽150.50")).to_be_visible()
    expect(bob.balance).to_have_text("₽150.50")
    assert urlsplit(page.url)[2:] == ("/accept", "", "")


def expect_accepted(alice: BrowserUser) -> None:
    """Expect the open page, the balance, the history with a filter and the statement to show the acceptance."""
    page = alice.page
    expect(page.get_by_text(re.compile("Accepted on"))).to_be_visible()
    page.get_by_role("link", name="Balance", exact=True).click()
    expect(alice.balance).to_have_text("₽849.50")
    expect(page.get_by_role("heading", name="No active checks")).to_be_visible()
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.locator("main .row")).to_contain_text(["Check accepted"])
    page.get_by_text("Received", exact=True).click()
    expect(page.get_by_text("No results")).to_be_visible()
    page.get_by_role("link", name="Statement").click()
    expect(page.locator("main .row")).to_contain_text(["Check created", "Card top-up"])
    expect(page.get_by_role("img", name="Balance since")).to_be_visible()


def test_declined_payment_is_reported_and_credits_nothing(new_user: NewUser) -> None:
    """The result survives a reload."""
    alice = new_user()
    alice.go("/top-up", "Top up")
    alice.page.get_by_label("Amount", exact=True).fill("500")
    button(alice.page, "Continue to payment").click()
    pay_at_bank(alice.page, "4000 0000 0000 0002")
    expect(alice.page.get_by_role("heading", name="Payment declined")).to_be_visible()
    alice.page.reload()
    expect(alice.page.get_by_role("heading", name="Payment declined")).to_be_visible()
    assert alice.api.balance() == 0


def test_return_without_payment_waits_and_offers_the_payment_page_again(new_user: NewUser) -> None:
    """The return of the browser does not prove a payment."""
    alice = new_user()
    alice.go("/top-up", "Top up")
    alice.page.get_by_label("Amount", exact=True).fill("500")
    button(alice.page, "Continue to payment").click()
    expect(alice.page.locator("[name=card_number]")).to_be_visible()
    alice.page.goto(f"{alice.url}/top-up/return")
    expect(alice.page.get_by_role("heading", name="Waiting for the bank’s confirmation")).to_be_visible()
    alice.page.reload()
    alice.page.get_by_role("link", name="Continue to payment").click()
    pay_at_bank(alice.page, "4111 1111 1111 1111")
    expect(alice.page.get_by_role("heading", name="Balance topped up")).to_be_visible()


def test_returned_money_is_announced_without_a_reload(new_user: NewUser) -> None:
    alice = new_user(funds=10_000, signed_in=False)
    check = alice.api.create_check(4_000, expiresIn=8)
    alice.sign_in()
    expect(alice.balance).to_have_text("₽60.00")
    expect(alice.page.locator(f'[data-key="{check["fastcheck"]}"]')).to_be_visible()
    expect(alice.page.get_by_role("status").filter(has_text="₽40 received")).to_be_visible()
    expect(alice.balance).to_have_text("₽100.00")
    expect(alice.page.get_by_role("heading", name="No active checks")).to_be_visible()


def test_open_page_of_a_check_shows_its_expiry(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    check = alice.api.create_check(4_000, expiresIn=3)
    alice.go(f"/checks/{check['fastcheck']}", "Check")
    expect(alice.page.get_by_text(re.compile(r"0:0\d left"))).to_be_visible()
    expect(alice.page.get_by_text(re.compile("Expired on .* The money was returned"))).to_be_visible()
    expect(alice.page.locator(".qr")).to_have_count(0)


def test_cancelled_check_returns_its_money(new_user: NewUser) -> None:
    """The cancellation requires a confirmation."""
    alice = new_user(funds=10_000)
    check = alice.api.create_check(4_000)
    alice.go(f"/checks/{check['fastcheck']}", "Check")
    button(alice.page, "Cancel check").click()
    button(alice.page, "Cancel").click()
    assert len(alice.api.active_checks()) == 1
    button(alice.page, "Cancel check").click()
    alice.page.get_by_role("dialog").get_by_role("button", name="Cancel check").click()
    expect(alice.page.get_by_text(re.compile("Cancelled on"))).to_be_visible()
    alice.page.get_by_role("link", name="Back", exact=True).click()
    expect(alice.balance).to_have_text("₽100.00")


def test_new_code_invalidates_the_link_with_the_old_one(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    check = alice.api.create_check(4_000)
    alice.go(f"/checks/{check['fastcheck']}", "Check")
    # A random code equals the old one in one case of 10,000: three in a row never do.
    codes = (change_code(alice) for _ in range(3))
    new_code = next(code for code in codes if code != check["code"])
    assert alice.api.active_checks()[0]["code"] == new_code
    button(alice.page, "Show").click()
    expect(alice.page.locator(".check-code")).to_have_text(new_code)
    bob = new_user()
    bob.review(check)
    expect(bob.page.get_by_text("Incorrect number or code")).to_be_visible()


def change_code(owner: BrowserUser) -> str:
    """Change the code on the open page of a check and return the code that the server chose."""
    button(owner.page, "Change code").click()
    with owner.page.expect_response(re.compile(r"/fastcheck/[\d-]+/code$")) as changed:
        owner.page.get_by_role("dialog").get_by_role("button", name="Change code").click()
    expect(owner.page.get_by_text("Code changed")).to_be_visible()
    return str(changed.value.json()["code"])


def test_long_list_loads_the_next_page_on_scroll(new_user: NewUser) -> None:
    """No row is repeated and none is missing."""
    alice = new_user(funds=10_000)
    numbers = [alice.api.create_check(100)["fastcheck"] for _ in range(60)]
    for number in numbers:
        alice.api.call("POST", f"/fastcheck/{number}/cancel")
    alice.go("/history", "History")
    rows = alice.page.locator("main .row .row-sub")
    expect(rows).to_have_count(50)
    rows.last.scroll_into_view_if_needed()
    expect(rows).to_have_count(60)
    assert sorted(rows.all_inner_texts()) == sorted(numbers)
    alice.go("/statement", "Statement")
    expect(rows).to_have_count(100)
    rows.last.scroll_into_view_if_needed()
    expect(rows).to_have_count(121)
    expect(rows.last).to_contain_text("at ")


def test_changed_password_and_sign_out_everywhere_take_effect(new_user: NewUser) -> None:
    alice = new_user()
    page = alice.page
    alice.go("/account", "Account")
    expect(page.get_by_text(alice.api.login)).to_be_visible()
    page.get_by_label("Current password").fill("not my password")
    page.get_by_label("New password").fill("a better password")
    button(page, "Change password").click()
    expect(page.get_by_text("Incorrect password")).to_be_visible()
    page.get_by_label("Current password").fill(alice.api.password)
    button(page, "Change password").click()
    expect(page.get_by_text("Password changed")).to_be_visible()
    button(page, "Sign out").click()
    alice.fill_sign_in()
    expect(page.get_by_text("Wrong login or password")).to_be_visible()
    alice.api.password = "a better password"
    alice.fill_sign_in()
    expect(alice.balance).to_have_text("₽0.00")

    elsewhere = alice.api.call("POST", "/login", {"login": alice.api.login, "password": alice.api.password})
    alice.api.session_id = elsewhere["sessionID"]
    alice.go("/account", "Account")
    button(page, "Sign out on all devices").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out on all devices").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    alice.api.call("GET", "/me", status=401)

"""The whole story, as two people live it."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.person import TELEPHONE, Person, accept_link, button

NEW_PERSON = Callable[..., Person]


def pay_at_bank(page: Page, card: str) -> None:
    """On the bank's page: the card, and pay."""
    page.locator("[name=card_number]").fill(card)
    page.locator("[name=expiry]").fill("12/30")
    page.locator("[name=cvc]").fill("123")
    page.locator("button[value=pay], button[type=submit]").first.click()


def test_from_top_up_to_accepted_check(person: NEW_PERSON) -> None:
    """Register, top up at the bank, write a check, have it accepted by link by somebody who was not signed in."""
    anna, boris = person(signed_in=False, **TELEPHONE), person(signed_in=False)
    join(anna)
    top_up(anna)
    check = write_check(anna)
    accept_by_link(boris, check)
    see_what_became_of_it(anna)
    boris.go("/history", "History")
    expect(boris.page.locator("main .row")).to_contain_text(["Check received"])


def join(anna: Person) -> None:
    """From the first page to an empty balance."""
    page = anna.page
    page.goto("/")
    page.get_by_role("link", name="Create account").click()
    page.get_by_label("Login").fill(anna.api.login + "-2")
    page.get_by_label("Password", exact=True).fill(anna.api.password)
    button(page, "Create account").click()
    expect(anna.balance).to_have_text("₽0.00")


def top_up(anna: Person) -> None:
    """To the bank and back; what the page says is still true after a reload."""
    page = anna.page
    page.locator(".balance-actions").get_by_role("link", name="Top up").click()
    button(page, "₽1,000").click()
    button(page, "Continue to payment").click()
    pay_at_bank(page, "4111 1111 1111 1111")
    expect(page.get_by_role("heading", name="Balance topped up")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Balance topped up")).to_be_visible()
    expect(anna.balance).to_have_text("₽1,000.00")


def write_check(anna: Person) -> dict[str, str]:
    """Number and code as the card shows them, the code only after a touch."""
    page = anna.page
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


def accept_by_link(boris: Person, check: dict[str, str]) -> None:
    """Through the sign-in page and back; the code stands in no address on the way, nor in the last one."""
    page = boris.page
    page.goto(accept_link(check))
    expect(page.get_by_text("To get the money")).to_be_visible()
    assert urlsplit(page.url)[2:] == ("/sign-in", "", "")
    boris.fill_sign_in()
    expect(page.get_by_label("Code")).to_have_value(check["code"])
    assert urlsplit(page.url)[2:] == ("/accept", "", "")
    button(page, "Continue").click()
    expect(page.locator(".check-amount")).to_have_text("₽150.50")
    expect(page.get_by_text("For lunch")).to_be_visible()
    button(page, "Get ₽150.50").click()
    expect(page.get_by_role("heading", name="You received ₽150.50")).to_be_visible()
    expect(boris.balance).to_have_text("₽150.50")
    assert urlsplit(page.url)[2:] == ("/accept", "", "")


def see_what_became_of_it(anna: Person) -> None:
    """The card changes by itself; then balance, history with a filter, statement with its picture."""
    page = anna.page
    expect(page.get_by_text(re.compile("Accepted on"))).to_be_visible()
    page.get_by_role("link", name="Balance", exact=True).click()
    expect(anna.balance).to_have_text("₽849.50")
    expect(page.get_by_role("heading", name="No active checks")).to_be_visible()
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.locator("main .row")).to_contain_text(["Check accepted"])
    page.get_by_text("Received", exact=True).click()
    expect(page.get_by_text("No results")).to_be_visible()
    page.get_by_role("link", name="Statement").click()
    expect(page.locator("main .row")).to_contain_text(["Check created", "Card top-up"])
    expect(page.get_by_role("img", name="Balance since")).to_be_visible()


def test_declined_card_takes_nothing(person: NEW_PERSON) -> None:
    """The page says "declined" only when the bank did, and says it again after a reload."""
    anna = person()
    anna.go("/top-up", "Top up")
    anna.page.get_by_label("Amount", exact=True).fill("500")
    button(anna.page, "Continue to payment").click()
    pay_at_bank(anna.page, "4000 0000 0000 0002")
    expect(anna.page.get_by_role("heading", name="Payment declined")).to_be_visible()
    anna.page.reload()
    expect(anna.page.get_by_role("heading", name="Payment declined")).to_be_visible()
    assert anna.api.balance() == 0


def test_coming_back_without_paying_waits_for_the_bank(person: NEW_PERSON) -> None:
    """The browser's coming back proves nothing: the page waits, and offers the way to the bank again."""
    anna = person()
    anna.go("/top-up", "Top up")
    anna.page.get_by_label("Amount", exact=True).fill("500")
    button(anna.page, "Continue to payment").click()
    expect(anna.page.locator("[name=card_number]")).to_be_visible()
    anna.page.goto(f"{anna.url}/top-up/return")
    expect(anna.page.get_by_role("heading", name="Waiting for the bank’s confirmation")).to_be_visible()
    anna.page.reload()
    anna.page.get_by_role("link", name="Continue to payment").click()
    pay_at_bank(anna.page, "4111 1111 1111 1111")
    expect(anna.page.get_by_role("heading", name="Balance topped up")).to_be_visible()


def test_money_that_arrives_is_announced(person: NEW_PERSON) -> None:
    """Somebody accepts nothing, clicks nothing, and the balance grows before his eyes."""
    anna = person(funds=10_000, signed_in=False)
    check = anna.api.write_check(4_000, expiresIn=8)
    anna.sign_in()
    expect(anna.balance).to_have_text("₽60.00")
    expect(anna.page.locator(f'[data-key="{check["fastcheck"]}"]')).to_be_visible()
    expect(anna.page.get_by_role("status").filter(has_text="₽40 received")).to_be_visible()
    expect(anna.balance).to_have_text("₽100.00")
    expect(anna.page.get_by_role("heading", name="No active checks")).to_be_visible()


def test_an_expired_check_says_so_on_its_page(person: NEW_PERSON) -> None:
    """The card changes under the eyes of its owner."""
    anna = person(funds=10_000)
    check = anna.api.write_check(4_000, expiresIn=3)
    anna.go(f"/checks/{check['fastcheck']}", "Check")
    expect(anna.page.get_by_text(re.compile(r"0:0\d left"))).to_be_visible()
    expect(anna.page.get_by_text(re.compile("Expired on .* The money was returned"))).to_be_visible()
    expect(anna.page.locator(".qr")).to_have_count(0)


def test_cancel_brings_the_money_back(person: NEW_PERSON) -> None:
    """After a question; "no" leaves all as it is."""
    anna = person(funds=10_000)
    check = anna.api.write_check(4_000)
    anna.go(f"/checks/{check['fastcheck']}", "Check")
    button(anna.page, "Cancel check").click()
    button(anna.page, "Cancel").click()
    assert len(anna.api.active_checks()) == 1
    button(anna.page, "Cancel check").click()
    anna.page.get_by_role("dialog").get_by_role("button", name="Cancel check").click()
    expect(anna.page.get_by_text(re.compile("Cancelled on"))).to_be_visible()
    anna.page.get_by_role("link", name="Back", exact=True).click()
    expect(anna.balance).to_have_text("₽100.00")


def test_a_new_code_replaces_the_old_one(person: NEW_PERSON) -> None:
    """And the link with the old code is refused."""
    anna = person(funds=10_000)
    check = anna.api.write_check(4_000)
    anna.go(f"/checks/{check['fastcheck']}", "Check")
    button(anna.page, "Change code").click()
    anna.page.get_by_role("dialog").get_by_role("button", name="Change code").click()
    expect(anna.page.get_by_text("Code changed")).to_be_visible()
    button(anna.page, "Show").click()
    fresh = anna.api.active_checks()[0]["code"]
    expect(anna.page.locator(".check-code")).to_have_text(fresh)
    if fresh != check["code"]:  # one time in ten thousand they are equal by chance
        boris = person()
        boris.review(check)
        expect(boris.page.get_by_text("Incorrect number or code")).to_be_visible()


def test_long_lists_go_on_as_one_scrolls(person: NEW_PERSON) -> None:
    """One page at first, the next when its end comes near; nothing twice, nothing left out."""
    anna = person(funds=10_000)
    numbers = [anna.api.write_check(100)["fastcheck"] for _ in range(60)]
    for number in numbers:
        anna.api.call("POST", f"/fastcheck/{number}/cancel")
    anna.go("/history", "History")
    rows = anna.page.locator("main .row .row-sub")
    expect(rows).to_have_count(50)
    rows.last.scroll_into_view_if_needed()
    expect(rows).to_have_count(60)
    assert sorted(rows.all_inner_texts()) == sorted(numbers)
    anna.go("/statement", "Statement")
    expect(rows).to_have_count(100)
    rows.last.scroll_into_view_if_needed()
    expect(rows).to_have_count(121)
    expect(rows.last).to_contain_text("at ")


def test_password_and_sessions(person: NEW_PERSON) -> None:
    """A new password works and the old one does not; "everywhere" ends the other device's session too."""
    anna = person()
    page = anna.page
    anna.go("/account", "Account")
    expect(page.get_by_text(anna.api.login)).to_be_visible()
    page.get_by_label("Current password").fill("not my password")
    page.get_by_label("New password").fill("a better password")
    button(page, "Change password").click()
    expect(page.get_by_text("Incorrect password")).to_be_visible()
    page.get_by_label("Current password").fill(anna.api.password)
    button(page, "Change password").click()
    expect(page.get_by_text("Password changed")).to_be_visible()
    button(page, "Sign out").click()
    anna.fill_sign_in()
    expect(page.get_by_text("Wrong login or password")).to_be_visible()
    anna.api.password = "a better password"
    anna.fill_sign_in()
    expect(anna.balance).to_have_text("₽0.00")

    elsewhere = anna.api.call("POST", "/login", {"login": anna.api.login, "password": anna.api.password})
    anna.api.session_id = elsewhere["sessionID"]
    anna.go("/account", "Account")
    button(page, "Sign out on all devices").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out on all devices").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    anna.api.call("GET", "/me", status=401)

"""Double clicks, lost responses, reloads and ended sessions: money moves once, and the page shows what happened."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.browser_user import BrowserUser, NewUser, button
from tests.support.eventually import eventually


def fill_check(alice: BrowserUser, amount: str) -> None:
    """Fill in the form of a new check."""
    alice.go("/write", "Write a check")
    alice.page.get_by_label("Amount", exact=True).fill(amount)


def test_double_click_creates_one_check(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    fill_check(alice, "30")
    button(alice.page, "Write a check").dblclick()
    expect(alice.page.locator(".check-amount")).to_have_text("₽30")
    assert len(alice.api.active_checks()) == 1
    assert alice.api.balance() == 7_000


def test_double_click_accepts_once(new_user: NewUser) -> None:
    """The second click causes no error."""
    alice, bob = new_user(funds=10_000), new_user()
    bob.review(alice.api.create_check(3_000))
    button(bob.page, "Get ₽30").dblclick()
    expect(bob.page.get_by_role("heading", name="You received ₽30")).to_be_visible()
    expect(bob.balance).to_have_text("₽30.00")


def test_double_click_starts_one_top_up(new_user: NewUser) -> None:
    alice = new_user()
    alice.go("/top-up", "Top up")
    alice.page.get_by_label("Amount", exact=True).fill("500")
    button(alice.page, "Continue to payment").dblclick()
    expect(alice.page.locator("[name=card_number]")).to_be_visible()
    assert len(alice.api.call("GET", "/topup")["topups"]) == 1


def test_double_click_cancels_once(new_user: NewUser) -> None:
    """Both the button and its confirmation are clicked twice."""
    alice = new_user(funds=10_000)
    check = alice.api.create_check(3_000)
    alice.go(f"/checks/{check['fastcheck']}", "Check")
    button(alice.page, "Cancel check").dblclick()
    alice.page.get_by_role("dialog").get_by_role("button", name="Cancel check").dblclick()
    expect(alice.page.get_by_text(re.compile("Cancelled on"))).to_be_visible()
    assert alice.api.balance() == 10_000


def test_reload_without_a_response_shows_the_created_check(new_user: NewUser) -> None:
    """The request succeeded, its response was lost; the page shows that check and creates no second one."""
    alice = new_user(funds=10_000)
    fill_check(alice, "30")
    alice.page.route("**/fastcheck", drop_response, times=1)
    button(alice.page, "Write a check").click()
    eventually(lambda: len(alice.api.active_checks()) == 1)
    alice.page.reload()
    expect(alice.page.locator(".check-amount")).to_have_text("₽30")
    assert len(alice.api.active_checks()) == 1


def test_reload_without_a_response_shows_the_accepted_check(new_user: NewUser) -> None:
    """The page reports success and not "already accepted"."""
    alice, bob = new_user(funds=10_000), new_user()
    bob.review(alice.api.create_check(3_000))
    bob.page.route("**/fastcheck/accept", drop_response, times=1)
    button(bob.page, "Get ₽30").click()
    eventually(lambda: bob.api.balance() == 3_000)
    bob.page.reload()
    expect(bob.page.get_by_role("heading", name="You received ₽30")).to_be_visible()


def test_form_sent_again_after_a_lost_response_uses_the_same_key(new_user: NewUser) -> None:
    """The key survives navigation to other pages."""
    alice = new_user(funds=10_000)
    fill_check(alice, "30")
    alice.page.route("**/fastcheck", reset_after_request, times=1)
    button(alice.page, "Write a check").click()
    expect(alice.page.get_by_role("alert")).to_contain_text("you won’t be charged twice")
    alice.page.get_by_role("link", name="Balance", exact=True).click()
    alice.page.get_by_role("link", name="Write", exact=True).click()
    expect(alice.page.get_by_text("couldn’t confirm whether the check was created")).to_be_visible()
    button(alice.page, "Write a check").click()
    expect(alice.page.locator(".check-amount")).to_have_text("₽30")
    assert len(alice.api.active_checks()) == 1


@pytest.mark.parametrize(
    ("status", "code", "words", "same_key"),
    [
        (502, "bank_unavailable", "The bank", True),
        (502, "bank_refused", "The bank", False),
        (409, "topup_over", "Start a new top-up", False),
    ],
)
def test_bank_error_decides_whether_the_next_attempt_reuses_the_key(
    new_user: NewUser, status: int, code: str, words: str, *, same_key: bool
) -> None:
    """After an unreachable bank the next attempt uses the same key and cannot pay twice.

    After a refusal or an ended top-up the next attempt is a new one.
    """
    alice = new_user()
    keys: list[str | None] = []

    def fail_once(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) > 1:
            route.continue_()
        else:
            route.fulfill(status=status, json={"message": "the bank failed", "code": code})

    alice.page.route(re.compile(r"/topup$"), fail_once)
    alice.go("/top-up", "Top up")
    alice.page.get_by_label("Amount", exact=True).fill("500")
    button(alice.page, "Continue to payment").click()
    expect(alice.page.get_by_role("alert")).to_contain_text(words)
    button(alice.page, "Continue to payment").click()
    expect(alice.page.locator("[name=card_number]")).to_be_visible()
    assert all(keys)
    assert (keys[0] == keys[1]) is same_key


def test_offline_page_keeps_the_last_balance_and_updates_on_return(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    alice.context.set_offline(True)
    offline = alice.page.get_by_text("You’re offline.")
    expect(offline).to_be_visible()
    expect(alice.balance).to_have_text("₽100.00")
    alice.api.create_check(3_000)
    alice.context.set_offline(False)
    expect(alice.balance).to_have_text("₽70.00")
    expect(offline).not_to_be_visible()


def test_placeholders_reserve_the_space_of_a_slow_response(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    held: list[Route] = []
    released: list[bool] = []
    alice.page.route("**/balance", lambda route: route.continue_() if released else held.append(route))
    alice.page.goto("/")
    expect(alice.page.locator(".balance-panel .bone")).to_be_visible()
    top_up = alice.page.locator(".balance-actions").get_by_role("link", name="Top up")
    before = top_up.bounding_box()
    released.append(True)
    for route in held:
        route.continue_()
    expect(alice.balance).to_have_text("₽100.00")
    assert top_up.bounding_box() == before


def test_failed_list_can_be_retried(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    alice.page.route(
        "**/fastcheck/history?*", lambda route: route.fulfill(status=500, json={"message": "?", "code": "?"})
    )
    alice.go("/history", "History")
    expect(alice.page.get_by_text("Something went wrong on our side")).to_be_visible()
    alice.page.unroute("**/fastcheck/history?*")
    button(alice.page, "Try again").click()
    expect(alice.page.get_by_text("No transactions yet")).to_be_visible()


def test_ended_session_leads_to_sign_in_and_back(new_user: NewUser) -> None:
    """The page detects the end by itself and states the reason."""
    alice = new_user(funds=10_000)
    check = alice.api.create_check(3_000)
    alice.go(f"/checks/{check['fastcheck']}", "Check")
    alice.api.call("POST", "/logout/all")
    expect(alice.page.get_by_text("Your session has ended")).to_be_visible()
    alice.fill_sign_in()
    expect(alice.page.locator(".check-number")).to_have_text(check["fastcheck"])


def test_second_tab_shares_the_session_and_the_sign_out(new_user: NewUser) -> None:
    alice = new_user(funds=10_000)
    second = alice.new_page()
    second.goto("/history")
    expect(second.get_by_role("heading", name="History")).to_be_visible()
    second.get_by_role("link", name="Account", exact=True).click()
    button(second, "Sign out").click()
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(alice.page.get_by_role("heading", name="Sign in")).to_be_visible()


def drop_response(route: Route) -> None:
    """Let the server act; the response never reaches the page."""
    route.fetch()


def reset_after_request(route: Route) -> None:
    """Let the server act, then reset the connection."""
    route.fetch()
    route.abort("connectionreset")

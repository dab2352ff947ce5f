"""Impatience, bad networks, ended sessions: money moves once, and the page tells the truth."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.person import Person, button
from tests.support.eventually import eventually

NEW_PERSON = Callable[..., Person]


def fill_check(anna: Person, amount: str) -> None:
    """The form, ready to send."""
    anna.go("/write", "Write a check")
    anna.page.get_by_label("Amount", exact=True).fill(amount)


def test_double_click_writes_one_check(person: NEW_PERSON) -> None:
    """However impatient the finger."""
    anna = person(funds=10_000)
    fill_check(anna, "30")
    button(anna.page, "Write a check").dblclick()
    expect(anna.page.locator(".check-amount")).to_have_text("₽30")
    assert len(anna.api.active_checks()) == 1
    assert anna.api.balance() == 7_000


def test_double_click_accepts_once(person: NEW_PERSON) -> None:
    """And the second click is no refusal."""
    anna, boris = person(funds=10_000), person()
    boris.review(anna.api.write_check(3_000))
    button(boris.page, "Get ₽30").dblclick()
    expect(boris.page.get_by_role("heading", name="You received ₽30")).to_be_visible()
    expect(boris.balance).to_have_text("₽30.00")


def test_double_click_starts_one_top_up(person: NEW_PERSON) -> None:
    """One payment at the bank."""
    anna = person()
    anna.go("/top-up", "Top up")
    anna.page.get_by_label("Amount", exact=True).fill("500")
    button(anna.page, "Continue to payment").dblclick()
    expect(anna.page.locator("[name=card_number]")).to_be_visible()
    assert len(anna.api.call("GET", "/topup")["topups"]) == 1


def test_double_click_cancels_once(person: NEW_PERSON) -> None:
    """On the button and on its question."""
    anna = person(funds=10_000)
    check = anna.api.write_check(3_000)
    anna.go(f"/checks/{check['fastcheck']}", "Check")
    button(anna.page, "Cancel check").dblclick()
    anna.page.get_by_role("dialog").get_by_role("button", name="Cancel check").dblclick()
    expect(anna.page.get_by_text(re.compile("Cancelled on"))).to_be_visible()
    assert anna.api.balance() == 10_000


def test_reload_in_the_middle_of_writing(person: NEW_PERSON) -> None:
    """The check was written, its answer never arrived, the page was reloaded: it shows that check and no second one."""
    anna = person(funds=10_000)
    fill_check(anna, "30")
    anna.page.route("**/fastcheck", do_but_never_answer, times=1)
    button(anna.page, "Write a check").click()
    eventually(lambda: len(anna.api.active_checks()) == 1)
    anna.page.reload()
    expect(anna.page.locator(".check-amount")).to_have_text("₽30")
    assert len(anna.api.active_checks()) == 1


def test_reload_in_the_middle_of_accepting(person: NEW_PERSON) -> None:
    """The money came; the reloaded page says so and not "already accepted"."""
    anna, boris = person(funds=10_000), person()
    boris.review(anna.api.write_check(3_000))
    boris.page.route("**/fastcheck/accept", do_but_never_answer, times=1)
    button(boris.page, "Get ₽30").click()
    eventually(lambda: boris.api.balance() == 3_000)
    boris.page.reload()
    expect(boris.page.get_by_role("heading", name="You received ₽30")).to_be_visible()


def test_a_lost_answer_can_be_asked_for_again(person: NEW_PERSON) -> None:
    """The same form sent again goes out under the same key, even after a walk through other pages."""
    anna = person(funds=10_000)
    fill_check(anna, "30")
    anna.page.route("**/fastcheck", do_but_lose_the_answer, times=1)
    button(anna.page, "Write a check").click()
    expect(anna.page.get_by_role("alert")).to_contain_text("you won’t be charged twice")
    anna.page.get_by_role("link", name="Balance", exact=True).click()
    anna.page.get_by_role("link", name="Write", exact=True).click()
    expect(anna.page.get_by_text("couldn’t confirm whether the check was created")).to_be_visible()
    button(anna.page, "Write a check").click()
    expect(anna.page.locator(".check-amount")).to_have_text("₽30")
    assert len(anna.api.active_checks()) == 1


@pytest.mark.parametrize(
    ("status", "code", "words", "same_key"),
    [
        (502, "bank_unavailable", "The bank", True),
        (502, "bank_refused", "The bank", False),
        (409, "topup_over", "Start a new top-up", False),
    ],
)
def test_the_bank_says_no(person: NEW_PERSON, status: int, code: str, words: str, *, same_key: bool) -> None:
    """Not reached: the next try bears the same key and cannot pay twice. Refused or over: the next try is a new one."""
    anna = person()
    keys: list[str | None] = []

    def refuse_once(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) > 1:
            route.continue_()
        else:
            route.fulfill(status=status, json={"message": "the bank says no", "code": code})

    anna.page.route(re.compile(r"/topup$"), refuse_once)
    anna.go("/top-up", "Top up")
    anna.page.get_by_label("Amount", exact=True).fill("500")
    button(anna.page, "Continue to payment").click()
    expect(anna.page.get_by_role("alert")).to_contain_text(words)
    button(anna.page, "Continue to payment").click()
    expect(anna.page.locator("[name=card_number]")).to_be_visible()
    assert all(keys)
    assert (keys[0] == keys[1]) is same_key


def test_offline_and_back(person: NEW_PERSON) -> None:
    """The last known balance stays and is called that; what happened meanwhile is there at once afterwards."""
    anna = person(funds=10_000)
    anna.context.set_offline(True)
    offline = anna.page.get_by_text("You’re offline.")
    expect(offline).to_be_visible()
    expect(anna.balance).to_have_text("₽100.00")
    anna.api.write_check(3_000)
    anna.context.set_offline(False)
    expect(anna.balance).to_have_text("₽70.00")
    expect(offline).not_to_be_visible()


def test_slow_api(person: NEW_PERSON) -> None:
    """Grey bars stand where the figures will be, and nothing moves when they come."""
    anna = person(funds=10_000)
    held: list[Route] = []
    released: list[bool] = []
    anna.page.route("**/balance", lambda route: route.continue_() if released else held.append(route))
    anna.page.goto("/")
    expect(anna.page.locator(".balance-panel .bone")).to_be_visible()
    top_up = anna.page.locator(".balance-actions").get_by_role("link", name="Top up")
    before = top_up.bounding_box()
    released.append(True)
    for route in held:
        route.continue_()
    expect(anna.balance).to_have_text("₽100.00")
    assert top_up.bounding_box() == before


def test_a_list_that_fails_can_be_asked_for_again(person: NEW_PERSON) -> None:
    """With a button, in the place where the list would be."""
    anna = person(funds=10_000)
    anna.page.route(
        "**/fastcheck/history?*", lambda route: route.fulfill(status=500, json={"message": "?", "code": "?"})
    )
    anna.go("/history", "History")
    expect(anna.page.get_by_text("Something went wrong on our side")).to_be_visible()
    anna.page.unroute("**/fastcheck/history?*")
    button(anna.page, "Try again").click()
    expect(anna.page.get_by_text("No transactions yet")).to_be_visible()


def test_a_session_that_ended_elsewhere(person: NEW_PERSON) -> None:
    """The page notices by itself, says why, and after signing in goes on where it was."""
    anna = person(funds=10_000)
    check = anna.api.write_check(3_000)
    anna.go(f"/checks/{check['fastcheck']}", "Check")
    anna.api.call("POST", "/logout/all")
    expect(anna.page.get_by_text("Your session has ended")).to_be_visible()
    anna.fill_sign_in()
    expect(anna.page.locator(".check-number")).to_have_text(check["fastcheck"])


def test_a_second_tab_shares_the_session(person: NEW_PERSON) -> None:
    """A link opened beside the app needs no second sign-in, and signing out is for all tabs."""
    anna = person(funds=10_000)
    second = anna.new_page()
    second.goto("/history")
    expect(second.get_by_role("heading", name="History")).to_be_visible()
    second.get_by_role("link", name="Account", exact=True).click()
    button(second, "Sign out").click()
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(anna.page.get_by_role("heading", name="Sign in")).to_be_visible()


def do_but_never_answer(route: Route) -> None:
    """The server acts; its answer does not reach the page."""
    route.fetch()


def do_but_lose_the_answer(route: Route) -> None:
    """The server acts; then the connection breaks."""
    route.fetch()
    route.abort("connectionreset")

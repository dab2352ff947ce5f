"""Number and code on the accept form, typed and pasted."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browser_user import NewUser, button

PASTE = """(input, text) => {
  const data = new DataTransfer();
  data.setData('text', text);
  input.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
}"""


def field_values(page: Page) -> tuple[str, str]:
    """Return the values of the number and code fields."""
    return page.get_by_label("Number").input_value(), page.get_by_label("Code").input_value()


def test_number_is_grouped_while_it_is_typed(new_user: NewUser) -> None:
    """Grouping survives corrections in the middle; a complete number moves the focus to the code."""
    page = new_user().page
    page.goto("/accept")
    number = page.get_by_label("Number")
    number.press_sequentially("1234567")
    expect(number).to_have_value("1234-567")
    number.press("Backspace")
    number.press("Backspace")
    number.press("Backspace")
    expect(number).to_have_value("1234")
    number.press_sequentially("56x78 0001")
    expect(number).to_have_value("1234-5678-0001")
    expect(page.get_by_label("Code")).to_be_focused()
    page.get_by_label("Code").press_sequentially("58-647")
    assert field_values(page) == ("1234-5678-0001", "5864")
    number.press("Home")
    number.press("ArrowRight")
    number.press("ArrowRight")
    number.press("Backspace")
    expect(number).to_have_value("1345-6780-001")
    number.press("2")
    expect(number).to_have_value("1234-5678-0001")
    assert number.evaluate("input => input.selectionStart") == 2


@pytest.mark.parametrize(
    "text",
    [
        "1234-5678-0001 5864",
        "A FastCheck for ₽1500, number 1234-5678-0001, code 5864. Good until 26 January 2026 at 12:08.",
        "FastCheck на 1500 ₽, номер 1234 5678 0001, код 5864",
        "1234567800015864",
        "1234–5678–0001 / 5864",
        "https://example.org/accept#fastcheck=1234-5678-0001&code=5864",
        "Take it: http://127.0.0.1:8000/accept#fastcheck=1234-5678-0001&code=5864 before 2027",
    ],
)
def test_paste_with_number_and_code_fills_both_fields(new_user: NewUser, text: str) -> None:
    """The text is a message, bare digits or a link."""
    page = new_user().page
    page.goto("/accept")
    page.get_by_label("Number").evaluate(PASTE, text)
    assert field_values(page) == ("1234-5678-0001", "5864")


def test_paste_without_a_code_moves_the_focus_to_the_code(new_user: NewUser) -> None:
    """The code field keeps its value."""
    page = new_user().page
    page.goto("/accept")
    page.get_by_label("Number").evaluate(PASTE, "https://example.org/accept#fastcheck=1234-5678-0001")
    assert field_values(page) == ("1234-5678-0001", "")
    expect(page.get_by_label("Code")).to_be_focused()


def test_link_without_a_code_fills_the_number(new_user: NewUser) -> None:
    """The form stays open for the code."""
    page = new_user().page
    page.goto("/accept#fastcheck=1234-5678-0001")
    expect(page.get_by_label("Number")).to_have_value("1234-5678-0001")
    expect(page.get_by_role("button", name="Continue")).to_be_visible()


def test_opened_link_spends_no_attempt_and_leaves_no_code_in_the_address(new_user: NewUser) -> None:
    """The preview, which counts wrong codes, runs only when the user continues; a reload has nothing to repeat."""
    page = new_user().page
    previews: list[str] = []
    page.on("request", lambda request: previews.append(request.url) if "/fastcheck/preview" in request.url else None)
    page.goto("/accept#fastcheck=1234-5678-0001&code=5864")
    expect(page.get_by_label("Number")).to_have_value("1234-5678-0001")
    expect(page.get_by_label("Code")).to_have_value("5864")
    assert page.evaluate("location.pathname + location.search + location.hash") == "/accept"
    assert "5864" not in page.evaluate("JSON.stringify(history.state)")
    assert not previews
    button(page, "Continue").click()
    expect(page.get_by_text("Incorrect number or code")).to_be_visible()
    assert len(previews) == 1

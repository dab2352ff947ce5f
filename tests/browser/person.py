"""Somebody with a browser of his own."""

from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.browser.api import Api

TELEPHONE: Final = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
#: Enough for a machine of two busy cores; a test that passes waits for far less.
TIMEOUT_MS: Final = 20_000
POLICY_WORDS: Final = ("Content Security Policy", "TrustedHTML", "TrustedScript", "Trusted Type")


class Person:
    """A fresh user, a browser context, one page. English and a desktop unless ``context_options`` say otherwise."""

    def __init__(self, browser: Browser, gateway_url: str, context_options: dict[str, Any]) -> None:
        self.url = gateway_url
        self.api = Api(gateway_url)
        self.context = browser.new_context(base_url=gateway_url, **{"locale": "en-GB", **context_options})
        self.context.set_default_timeout(TIMEOUT_MS)
        self._faults: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        """One more tab of the same browser."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self._faults.append(f"{self.api.login}: {error}"))
        page.on("console", self._note_violation)
        return page

    def sign_in(self) -> None:
        """Through the form, and on to the balance."""
        self.page.goto("/sign-in")
        self.fill_sign_in()
        expect(self.balance).not_to_be_empty()
        expect(self.page.locator(".balance-panel .bone")).to_have_count(0)

    def fill_sign_in(self) -> None:
        """The form alone, wherever it leads."""
        self.page.get_by_label("Login").fill(self.api.login)
        self.page.get_by_label("Password", exact=True).fill(self.api.password)
        self.page.get_by_role("button", name="Sign in").click()

    @property
    def balance(self) -> Locator:
        """The large figures."""
        return self.page.locator(".balance-figure")

    def go(self, path: str, heading: str) -> None:
        """Open a page of the app by its address and wait until it is there."""
        self.page.goto(path)
        expect(self.page.get_by_role("heading", level=1, name=heading)).to_be_attached()

    def review(self, check: dict[str, Any]) -> None:
        """Open a check's link with its code and continue to the review of the check."""
        self.page.goto(accept_link(check))
        button(self.page, "Continue").click()

    def close(self) -> list[str]:
        """Close the browser context; returns what went wrong in it unseen."""
        self.context.close()
        return self._faults

    def _note_violation(self, message: ConsoleMessage) -> None:
        if any(words in message.text for words in POLICY_WORDS):
            self._faults.append(f"{self.api.login}: {message.text}")


def button(page: Page, name: str) -> Locator:
    """A button by its whole name."""
    return page.get_by_role("button", name=name, exact=True)


def accept_link(check: dict[str, Any], *, with_code: bool = True) -> str:
    """The address that a check's QR code and its copied link hold."""
    code = f"&code={check['code']}" if with_code else ""
    return f"/accept#fastcheck={check['fastcheck']}{code}"

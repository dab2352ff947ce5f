"""A user with a browser context of their own."""

from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.browser.api import Api

PHONE: Final = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
#: Sized for two busy cores; a passing test waits far less.
TIMEOUT_MS: Final = 20_000
POLICY_WORDS: Final = ("Content Security Policy", "TrustedHTML", "TrustedScript", "Trusted Type")


class BrowserUser:
    """A new user, a browser context and a page; English on a desktop unless ``context_options`` differ."""

    def __init__(self, browser: Browser, gateway_url: str, context_options: dict[str, Any]) -> None:
        self.url = gateway_url
        self.api = Api(gateway_url)
        self.context = browser.new_context(base_url=gateway_url, **{"locale": "en-GB", **context_options})
        self.context.set_default_timeout(TIMEOUT_MS)
        self._errors: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        """Open another tab of the same context."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self._errors.append(f"{self.api.login}: {error}"))
        page.on("console", self._note_violation)
        return page

    def sign_in(self) -> None:
        """Sign in through the form and wait for the balance."""
        self.page.goto("/sign-in")
        self.fill_sign_in()
        expect(self.balance).not_to_be_empty()
        expect(self.page.locator(".balance-panel .bone")).to_have_count(0)

    def fill_sign_in(self) -> None:
        """Fill in and send the sign-in form."""
        self.page.get_by_label("Login").fill(self.api.login)
        self.page.get_by_label("Password", exact=True).fill(self.api.password)
        self.page.get_by_role("button", name="Sign in").click()

    @property
    def balance(self) -> Locator:
        """Return the element that shows the balance."""
        return self.page.locator(".balance-figure")

    def go(self, path: str, heading: str) -> None:
        """Open a page of the app and wait for its heading."""
        self.page.goto(path)
        expect(self.page.get_by_role("heading", level=1, name=heading)).to_be_attached()

    def review(self, check: dict[str, Any]) -> None:
        """Open a check's link with its code and continue to the review of the check."""
        self.page.goto(accept_link(check))
        button(self.page, "Continue").click()

    def close(self) -> list[str]:
        """Close the context; return page errors and policy violations."""
        self.context.close()
        return self._errors

    def _note_violation(self, message: ConsoleMessage) -> None:
        if any(words in message.text for words in POLICY_WORDS):
            self._errors.append(f"{self.api.login}: {message.text}")


#: The type of the ``new_user`` fixture.
NewUser = Callable[..., BrowserUser]


def button(page: Page, name: str) -> Locator:
    """Return the button with this exact name."""
    return page.get_by_role("button", name=name, exact=True)


def accept_link(check: dict[str, Any], *, with_code: bool = True) -> str:
    """Return the path that the QR code and the copied link of a check hold."""
    code = f"&code={check['code']}" if with_code else ""
    return f"/accept#fastcheck={check['fastcheck']}{code}"

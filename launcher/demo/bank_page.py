"""Pays at a bank's page the way a browser does: reads the form from the HTML, fills it in, posts it."""

from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import requests

from launcher.demo.failure import StepFailed, check

TIMEOUT_SECONDS: Final = 15.0
MAX_REDIRECTS: Final = 5

CARD_THAT_PAYS: Final = {"card_number": "4111 1111 1111 1111", "expiry": "12/30", "cvc": "123"}


class Form(HTMLParser):
    """The form of a page that asks for a card."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.method = "get"
        self.fields: dict[str, str] = {}
        self._open = False
        self._done = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._done:
            self._open = True
            self.action, self.method = given.get("action", ""), given.get("method", "get").lower()
            self.fields = {}
        elif tag == "input" and self._open and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._open:
            self._open = False
            self._done = "card_number" in self.fields


def pay(payment_url: str, return_url: str, card: dict[str, str] | None = None) -> str:
    """Open the page, post its form with ``card``, and follow the bank until it sends us back.

    Returns the address to which the bank sent the browser, which begins with ``return_url``.
    """
    browser = requests.Session()
    browser.trust_env = False
    try:
        page = browser.get(payment_url, timeout=TIMEOUT_SECONDS)
        check(page.status_code == 200, f"the payment page was answered {page.status_code}")
        form = Form(page.text)
        card = card or CARD_THAT_PAYS
        check(form.method == "post" and form.fields.keys() >= card.keys(), "the payment page has no form for a card")
        answer = browser.post(
            urljoin(page.url, form.action), {**form.fields, **card}, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
        return _follow(browser, answer, return_url)
    except requests.RequestException as error:
        raise StepFailed(f"the bank did not answer: {error}") from error


def _follow(browser: requests.Session, answer: requests.Response, return_url: str) -> str:
    for _ in range(MAX_REDIRECTS):
        check(answer.is_redirect, f"the bank answered {answer.status_code} where it should send the browser back")
        location = urljoin(answer.url, answer.headers["Location"])
        if location.startswith(return_url):
            return location
        answer = browser.get(location, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    raise StepFailed("the bank sends the browser in circles")

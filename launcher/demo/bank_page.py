"""Pay at a bank's payment page as a browser does: parse the form, fill it in, post it."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import requests

from launcher.demo.failure import StepFailed, check

TIMEOUT_SECONDS: Final = 15.0
MAX_REDIRECTS: Final = 5

CARD_THAT_PAYS: Final = {"card_number": "4111 1111 1111 1111", "expiry": "12/30", "cvc": "123"}


class Form(HTMLParser):
    """The card form of a payment page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.method = "get"
        self.fields: dict[str, str] = {}
        self._open = False
        self._done = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._done:
            self._open = True
            self.action, self.method = attributes.get("action", ""), attributes.get("method", "get").lower()
            self.fields = {}
        elif tag == "input" and self._open and attributes.get("name"):
            self.fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._open:
            self._open = False
            self._done = "card_number" in self.fields


def pay(payment_url: str, return_url: str, card: dict[str, str] | None = None, *, ca: Path | None = None) -> str:
    """Open the page, post its form with ``card``, and follow redirects up to ``return_url``.

    Return the URL to which the bank redirected the browser, which starts with ``return_url``. Raises StepFailed.
    """
    browser = requests.Session()
    browser.trust_env = False
    browser.verify = str(ca) if ca else True
    try:
        page = browser.get(payment_url, timeout=TIMEOUT_SECONDS)
        check(page.status_code == 200, f"the payment page returned {page.status_code}")
        form = Form(page.text)
        card = card or CARD_THAT_PAYS
        check(form.method == "post" and form.fields.keys() >= card.keys(), "the payment page has no card form")
        response = browser.post(
            urljoin(page.url, form.action), {**form.fields, **card}, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
        return _follow(browser, response, return_url)
    except requests.RequestException as error:
        raise StepFailed(f"the bank did not respond: {error}") from error


def _follow(browser: requests.Session, response: requests.Response, return_url: str) -> str:
    for _ in range(MAX_REDIRECTS):
        check(response.is_redirect, f"the bank returned {response.status_code} instead of a redirect")
        location = urljoin(response.url, response.headers["Location"])
        if location.startswith(return_url):
            return location
        response = browser.get(location, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    raise StepFailed("too many redirects at the bank")

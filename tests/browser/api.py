"""API calls that prepare a browser test."""

import json
import uuid
from typing import Any, Final

import requests

from tests.support.eventually import eventually

TIMEOUT_SECONDS: Final = 20
CARD: Final = {"card_number": "4111 1111 1111 1111", "expiry": "12/30", "cvc": "123"}


class Api:
    """A registered user of the public API."""

    def __init__(self, gateway_url: str) -> None:
        self.gateway_url = gateway_url
        self.login = f"user-{uuid.uuid4().hex[:12]}"
        self.password = "correct horse battery"
        registered = self.call("POST", "/register", {"login": self.login, "password": self.password})
        self.session_id = str(registered["sessionID"])

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, *, status: int | None = None) -> Any:
        """Return the JSON of the response; fail on any status but the expected one (any 2xx by default)."""
        headers = {}
        if path not in {"/register", "/login"}:
            headers["Authorization"] = json.dumps({"sessionID": self.session_id})
        response = requests.request(
            method, self.gateway_url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS
        )
        assert response.ok if status is None else response.status_code == status, response.text
        return response.json() if response.content else None

    def balance(self) -> int:
        """Return the available balance in kopecks."""
        return int(self.call("GET", "/balance")["balance"])

    def fund(self, amount_minor: int) -> None:
        """Top up at the sandbox bank and wait for the credit."""
        before = self.balance()
        topup = self.call("POST", "/topup", {"amount": amount_minor, "returnUrl": f"{self.gateway_url}/top-up/return"})
        paid = requests.post(topup["paymentUrl"], data=CARD, allow_redirects=False, timeout=TIMEOUT_SECONDS)
        assert paid.status_code < 400, paid.text
        eventually(lambda: self.balance() == before + amount_minor)

    def create_check(self, amount_minor: int, **more: Any) -> dict[str, Any]:
        """Create a check and return the response of ``POST /fastcheck``."""
        check: dict[str, Any] = self.call("POST", "/fastcheck", {"amount": amount_minor, **more})
        return check

    def active_checks(self) -> list[dict[str, Any]]:
        """Return the user's active checks, newest first."""
        checks: list[dict[str, Any]] = self.call("GET", "/fastcheck/active")["checks"]
        return checks

    def accept(self, check: dict[str, Any]) -> None:
        """Accept a check."""
        self.call("POST", "/fastcheck/accept", {"fastcheck": check["fastcheck"], "code": check["code"]})


def wrong_code(check: dict[str, Any]) -> str:
    """Return a code that differs from the check's."""
    return "0000" if check["code"] != "0000" else "1111"

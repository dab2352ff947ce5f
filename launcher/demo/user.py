"""A user of the public API."""

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import requests

from launcher.demo.failure import StepFailed, check

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 15.0
WAIT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1


class DemoUser:
    """One user and the user's session. Amounts are in minor units, as in the API."""

    def __init__(self, name: str, url: str, ca: Path | None = None) -> None:
        self.name = name
        self.login = f"{name.lower()}-{secrets.token_hex(4)}"
        self.session_id = ""
        self._url = url
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy of the environment for 127.0.0.1
        self._http.verify = str(ca) if ca else True

    @property
    def authorization(self) -> str:
        """Return the Authorization header of the session, as the source document writes it."""
        return json.dumps({"sessionID": self.session_id})

    def register(self) -> None:
        """Register, and use the session in later requests."""
        content = self.call("POST", "/register", {"login": self.login, "password": secrets.token_urlsafe(16)}, 201)
        self.session_id = content["sessionID"]
        self._http.headers["Authorization"] = self.authorization

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send a request and return its JSON; raise StepFailed unless it returns ``status``."""
        try:
            response = self._http.request(
                method, self._url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise StepFailed(f"{method} {path} got no response: {error}") from error
        check(
            response.status_code == status,
            f"{method} {path} returned {response.status_code} instead of {status}: {response.text[:300]}",
        )
        content: dict[str, Any] = response.json() if response.content else {}
        return content

    def post(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
        """Send a POST request with a new idempotency key."""
        return self.call("POST", path, body, status, headers={"Idempotency-Key": secrets.token_hex(16)})

    def balance(self) -> int:
        """Return the balance in minor units; check the documented format."""
        content = self.call("GET", "/balance")
        check(content.keys() == {"balance", "currency"}, f"GET /balance returned {content}")
        check(type(content["balance"]) is int and content["currency"] == "RUB", f"GET /balance returned {content}")
        return int(content["balance"])

    def has(self, amount_minor: int) -> None:
        """Check the balance now, without waiting."""
        seen = self.balance()
        check(seen == amount_minor, f"{self.name}'s balance is {seen} instead of {amount_minor}")

    def create_check(self, amount_minor: int, **more: Any) -> dict[str, Any]:
        """Create a check."""
        return self.post("/fastcheck", {"amount": amount_minor, **more}, 201)

    def active(self) -> list[dict[str, Any]]:
        """Return the user's active checks."""
        checks: list[dict[str, Any]] = self.call("GET", "/fastcheck/active")["checks"]
        return checks

    def history(self) -> list[dict[str, Any]]:
        """Return the checks that the user created or accepted and that have ended."""
        checks: list[dict[str, Any]] = self.call("GET", "/fastcheck/history")["checks"]
        return checks


def wait_until(condition: str, poll: Callable[[], T], timeout_seconds: float = WAIT_SECONDS) -> T:
    """Call ``poll`` until it returns a true value, and return it; raise StepFailed after the time-out."""
    deadline = time.monotonic() + timeout_seconds
    while not (result := poll()):
        check(time.monotonic() < deadline, f"not within {timeout_seconds:.0f} seconds: {condition}")
        time.sleep(POLL_SECONDS)
    return result

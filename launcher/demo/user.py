"""A user who does everything through the public API."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import requests

from launcher.demo.failure import StepFailed, check

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 15.0
WAIT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1


class DemoUser:
    """One user and the user's session. Amounts are in minor units, as in the API."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.login = f"{name.lower()}-{secrets.token_hex(4)}"
        self.session_id = ""
        self._url = url
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of the environment has no business between us and 127.0.0.1

    @property
    def authorization(self) -> str:
        """Return the Authorization header of the session, as the source document writes it."""
        return json.dumps({"sessionID": self.session_id})

    def register(self) -> None:
        """Make an account; its session goes into the header as the source document writes it."""
        answer = self.call("POST", "/register", {"login": self.login, "password": secrets.token_urlsafe(16)}, 201)
        self.session_id = answer["sessionID"]
        self._http.headers["Authorization"] = self.authorization

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Make a request that must be answered with ``status``; returns the answer's JSON."""
        try:
            response = self._http.request(
                method, self._url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise StepFailed(f"{method} {path} got no answer: {error}") from error
        check(
            response.status_code == status,
            f"{method} {path} was answered {response.status_code} and not {status}: {response.text[:300]}",
        )
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def move(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
        """A request that moves money, under an idempotency key."""
        return self.call("POST", path, body, status, headers={"Idempotency-Key": secrets.token_hex(16)})

    def balance(self) -> int:
        """What is free to spend; the answer must look as the source document shows it."""
        answer = self.call("GET", "/balance")
        check(answer.keys() == {"balance", "currency"}, f"GET /balance was answered {answer}")
        check(type(answer["balance"]) is int and answer["currency"] == "RUB", f"GET /balance was answered {answer}")
        return int(answer["balance"])

    def has(self, amount_minor: int) -> None:
        """Check the balance now, without waiting."""
        seen = self.balance()
        check(seen == amount_minor, f"{self.name}'s balance is {seen} and not {amount_minor}")

    def write_check(self, amount_minor: int, **more: Any) -> dict[str, Any]:
        """Write a FastCheck."""
        return self.move("/fastcheck", {"amount": amount_minor, **more}, 201)

    def active(self) -> list[dict[str, Any]]:
        """Return the user's active checks."""
        checks: list[dict[str, Any]] = self.call("GET", "/fastcheck/active")["checks"]
        return checks

    def history(self) -> list[dict[str, Any]]:
        """Return the checks that the user created or accepted and that have ended."""
        checks: list[dict[str, Any]] = self.call("GET", "/fastcheck/history")["checks"]
        return checks


def wait_until(what: str, look: Callable[[], T], timeout_seconds: float = WAIT_SECONDS) -> T:
    """Look again and again until ``look`` returns something true; StepFailed when it takes too long."""
    deadline = time.monotonic() + timeout_seconds
    while not (seen := look()):
        check(time.monotonic() < deadline, f"after {timeout_seconds:.0f} seconds still not so: {what}")
        time.sleep(POLL_SECONDS)
    return seen

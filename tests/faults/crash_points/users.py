"""Users of the system under test, their requests, and the responses."""

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from common.http.server.identity import TokenIssuer
from launcher.demo.bank_page import CARD_THAT_PAYS, Form
from tests.faults.chaos.wire import Answer, Silence, Wire
from tests.faults.crash_points.system import System

TIMEOUT_SECONDS: Final = 20.0
#: Attempts of a client, and the seconds by which all clocks advance between them.
REPEATS: Final = 10
PAUSE_SECONDS: Final = 10
NAMES: Final = ("anna", "boris")


@dataclass(frozen=True, slots=True)
class Response:
    """A final response."""

    status: int
    body: Any

    @property
    def is_success(self) -> bool:
        return self.status < 300


@dataclass
class Request:
    """A request that is repeated with one idempotency key."""

    url: str
    path: str
    headers: dict[str, str]
    body: Any = None
    method: str = "POST"
    #: All final responses.
    responses: list[Response] = field(default_factory=list)
    #: Attempts without a final response: no response, or one that asks for a repetition.
    unknown_outcomes: list[str] = field(default_factory=list)

    def ask(self) -> Response | None:
        """Send the request once; return None if its outcome is unknown."""
        wire = Wire(self.url)
        try:
            body = json.dumps(self.body) if self.body is not None else None
            answer = wire.request(
                self.method, self.path, headers=self.headers, body=body, timeout_seconds=TIMEOUT_SECONDS
            )
        except Silence as silence:
            self.unknown_outcomes.append(str(silence))
            return None
        finally:
            wire.close()
        code = answer.body.get("code") if isinstance(answer.body, dict) else None
        if answer.status >= 500 or answer.status == 202 or code == "request_in_progress":
            self.unknown_outcomes.append(f"{answer.status} {code}")
            return None
        self.responses.append(Response(answer.status, answer.body or {"location": answer.headers.get("location")}))
        return self.responses[-1]

    def send_until_final(self, system: System) -> Response | None:
        """Send the request until a response is final, and advance the clock between attempts."""
        for _ in range(REPEATS):
            response = self.ask()
            if response is not None:
                return response
            system.set_clock_ahead(system.clock_ahead + PAUSE_SECONDS)
        return None


class Users:
    """Two users with sessions, the payer at the bank, and the operator."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._gateway = system.urls["gateway"]
        self._sessions: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    def register(self) -> None:
        """Register the users. They stay for all flows."""
        for name in NAMES:
            body = {"login": f"{name}-{secrets.token_hex(6)}", "password": secrets.token_urlsafe(12)}
            headers = {"Content-Type": "application/json"}
            response = Request(self._gateway, "/register", headers, body).ask()
            assert response, "registration failed"
            self._sessions[name] = response.body["sessionID"]
            self.ids[self.get(name, "/me", method="GET")["userID"]] = name

    def request_of(self, name: str, path: str, body: Any = None, *, method: str = "POST", key: str = "") -> Request:
        headers = {"Authorization": f"Bearer {self._sessions[name]}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return Request(self._gateway, path, headers, body, method)

    def get(self, name: str, path: str, body: Any = None, *, method: str = "POST") -> Any:
        """Return the body of a request that must succeed."""
        key = "" if method == "GET" else secrets.token_hex(16)
        response = self.request_of(name, path, body, method=method, key=key).send_until_final(self._system)
        if response is None or not response.is_success:
            raise AssertionError(f"{name} requested {path} and received {response}")
        return response.body

    def warm_sessions(self) -> None:
        """Read all balances, so that the gateway caches the sessions."""
        for name in NAMES:
            self.get(name, "/balance", method="GET")

    def balances(self) -> dict[str, int]:
        """Return the balances as the API reports them."""
        return {name: self.get(name, "/balance", method="GET")["balance"] for name in NAMES}

    def operator_request(self, path: str, body: Any) -> Request:
        """Return an operator's request to payments, as the command line sends it."""
        token = TokenIssuer("operator", self._system.secrets.token_keys["operator"]).issue("payments")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return Request(self._system.urls["payments"], path, headers, body)

    def pay(self, page: str) -> None:
        """Pay at the bank's page. Repeat until the page reports the end."""
        wire, path = Wire(page), urlsplit(page).path
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            form = Form(_page(wire, "GET", path).text)
            if "card_number" not in form.fields:
                wire.close()
                return
            _page(wire, "POST", path, urlencode({**form.fields, **CARD_THAT_PAYS, "action": "pay"}))
        raise AssertionError("the payment page never ended")


def _page(wire: Wire, method: str, path: str, body: str | None = None) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return wire.request(method, path, headers=headers, body=body, timeout_seconds=TIMEOUT_SECONDS)

"""Users of the system under test, their requests, and the responses."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from common.http.server.identity import TokenIssuer
from tests.faults import bank_page
from tests.faults.connection import Connection, NoResponse
from tests.faults.crash_points.system import System, when
from tests.faults.record import Operation, Response

TIMEOUT_SECONDS: Final = 20.0
#: Attempts of a client, and the seconds by which all clocks advance between them.
REPEATS: Final = 10
PAUSE_SECONDS: Final = 10
NAMES: Final = ("anna", "boris")


@dataclass(slots=True, kw_only=True)
class Request(Operation):
    """A request that is repeated with one idempotency key."""

    url: str
    headers: dict[str, str]
    method: str = "POST"

    def ask(self) -> Response | None:
        """Send the request once; return None if its outcome is unknown."""
        connection = Connection(self.url)
        try:
            answered = connection.request(
                self.method, self.path, self.body or None, headers=self.headers, timeout_seconds=TIMEOUT_SECONDS
            )
        except NoResponse:
            return None
        finally:
            connection.close()
        response = Response.of(answered)
        self.responses.append(response)
        return response if response.is_final else None

    def send_until_final(self, system: System) -> Response | None:
        """Send the request until a response is final, and advance the clock between attempts."""
        for _ in range(REPEATS):
            response = self.ask()
            if response is not None:
                return response
            system.set_clock_ahead(system.clock_ahead + PAUSE_SECONDS)
        return None


@dataclass(slots=True)
class RequestGroup:
    """Concurrent requests, each with its own key, in the place of one request."""

    requests: list[Request]

    @property
    def is_unknown(self) -> bool:
        return any(request.is_unknown for request in self.requests)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """Return the bodies of the first final responses."""
        return [request.final[0].body for request in self.requests]

    def ask(self) -> bool:
        """Send all requests at once; return whether all responses are final."""
        with ThreadPoolExecutor(len(self.requests)) as threads:
            return None not in list(threads.map(Request.ask, self.requests))

    def send_until_final(self, system: System) -> bool:
        """Send the requests until all responses are final, as :meth:`Request.send_until_final`."""
        for _ in range(REPEATS):
            if self.ask():
                return True
            system.set_clock_ahead(system.clock_ahead + PAUSE_SECONDS)
        return False


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
            response = Request("", "register", name, "/register", body, url=self._gateway, headers={}).ask()
            assert response, "registration failed"
            self._sessions[name] = response.body["sessionID"]
            self.ids[self.get(name, "/me", method="GET")["userID"]] = name

    def request_of(self, name: str, path: str, body: Any = None, *, method: str = "POST", key: str = "") -> Request:
        headers = {"Authorization": f"Bearer {self._sessions[name]}", **({"Idempotency-Key": key} if key else {})}
        return Request(key, path, name, path, body or {}, url=self._gateway, headers=headers, method=method)

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
        headers = {"Authorization": f"Bearer {token}"}
        return Request("", path, "operator", path, body, url=self._system.urls["payments"], headers=headers)

    def pay(self, page: str) -> None:
        """Pay at the bank's page. Repeat until the page reports the end."""
        when(lambda: bank_page.visit(page).outcome == "done", "the payment page has ended")

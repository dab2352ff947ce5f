"""One client: it sends requests, records each response, and retries without one."""

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.chaos.journal import Journal
from tests.faults.chaos.offers import OfferPool
from tests.faults.chaos.tally import Tally
from tests.faults.chaos.wire import Answer, Silence, Wire

TIMEOUT_SECONDS: Final = 10.0
#: Share of requests whose time-out ends before a response can arrive; the retry overlaps the first request.
SHORT_TIMEOUT_SHARE: Final = 0.03
SHORT_TIMEOUT_SECONDS: Final = (0.005, 0.3)
#: An operation is given up after this time; its outcome is then unknown to the client.
GIVE_UP_SECONDS: Final = 60.0
#: Share of operations that are never retried.
NO_RETRY_SHARE: Final = 0.01
RETRY_FIRST_SECONDS: Final = 0.1
RETRY_MAX_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class SharedState:
    """State that all clients share. While ``working`` is clear, clients start no operation; ``over`` ends them."""

    gateway_url: str
    rate_per_client: float
    offers: OfferPool = field(default_factory=OfferPool)
    tally: Tally = field(default_factory=Tally)
    working: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class User:
    """An account; several clients act for it at once, each with its own session."""

    login: str
    password: str
    user_id: str


def decides(response: Answer) -> bool:
    """Return whether a response is final; otherwise the client retries with the same key."""
    code = response.body.get("code") if isinstance(response.body, dict) else None
    if response.status >= 500:
        return code == "bank_refused"
    return response.status != 429 and code != "request_in_progress"


class Client:
    """Sends requests for one user. ``name`` names its journal and prefixes its idempotency keys."""

    def __init__(
        self, name: str, shared: SharedState, user: User, *, session_id: str, journal: Journal, seed: int
    ) -> None:
        self.name = name
        self.shared = shared
        self.user = user
        self.session_id = session_id
        self.rng = random.Random(f"{seed}/client/{name}")
        self.journal = journal
        self._gateway = Wire(shared.gateway_url)
        self._operations = 0

    def new_operation(self) -> str:
        """Return the next operation's name, which is its idempotency key."""
        self._operations += 1
        return f"{self.name}-{self._operations:05d}"

    def send(
        self, operation: str, kind: str, method: str, path: str, body: dict[str, Any] | None = None, **facts: Any
    ) -> Answer | None:
        """Send a request until a response is final; return None after giving up. Journal every step."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        never_retries = self.rng.random() < NO_RETRY_SHARE
        pause = RETRY_FIRST_SECONDS
        self.journal.write("request", operation=operation, kind=kind, method=method, path=path, body=body, **facts)
        while True:
            response = self._send_once(operation, kind, method, path, body)
            if response is not None and decides(response):
                outcome = str(response.status) if response.status < 400 else f"{response.status} {_code(response)}"
                self._end(operation, kind, outcome)
                return response
            if never_retries or time.monotonic() > deadline:
                self._end(operation, kind, "unknown")
                return None
            self.shared.over.wait(pause * self.rng.uniform(0.5, 1.5))
            pause = min(2 * pause, RETRY_MAX_SECONDS)

    def repeat(self, operation: str, kind: str, method: str, path: str, body: dict[str, Any] | None) -> None:
        """Repeat a finished request; the checker compares the response with the first."""
        self._send_once(operation, kind, method, path, body, repeated=True)

    def _send_once(
        self, operation: str, kind: str, method: str, path: str, body: dict[str, Any] | None, *, repeated: bool = False
    ) -> Answer | None:
        timeout = (
            self.rng.uniform(*SHORT_TIMEOUT_SECONDS) if self.rng.random() < SHORT_TIMEOUT_SHARE else TIMEOUT_SECONDS
        )
        headers = {"Authorization": json.dumps({"sessionID": self.session_id}), "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = operation
        text = json.dumps(body) if body is not None else None
        try:
            response = self._gateway.request(method, path, headers=headers, body=text, timeout_seconds=timeout)
        except Silence as silence:
            self.journal.write("no_response", operation=operation, kind=kind, why=str(silence))
            self.shared.tally.request("no response", decides=False)
            return None
        final = decides(response)
        self.journal.write(
            "repeat" if repeated else "response",
            operation=operation,
            kind=kind,
            status=response.status,
            body=response.body,
            decides=final,
            replayed=response.headers.get("idempotency-replayed") == "true",
        )
        self.shared.tally.request(str(response.status), decides=final)
        return response

    def _end(self, operation: str, kind: str, outcome: str) -> None:
        self.journal.write("end", operation=operation, kind=kind, outcome=outcome)
        self.shared.tally.operation(kind, outcome)

    def close(self) -> None:
        self._gateway.close()
        self.journal.close()


def _code(response: Answer) -> str:
    return str(response.body.get("code", "")) if isinstance(response.body, dict) else ""

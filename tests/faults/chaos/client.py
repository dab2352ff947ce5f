"""One client: it sends requests, records each response, and retries without one."""

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from tests.faults import bank_page
from tests.faults.chaos.offers import OfferPool
from tests.faults.connection import Connection, NoResponse
from tests.faults.record import Operation, Response

TIMEOUT_SECONDS: Final = 10.0
#: Share of requests whose time-out ends before a response can arrive; the retry overlaps the first request.
SHORT_TIMEOUT_SHARE: Final = 0.03
SHORT_TIMEOUT_SECONDS: Final = (0.005, 0.3)
#: An operation is given up after this time; its outcome is then unknown to the client.
GIVE_UP_SECONDS: Final = 60.0
#: Share of operations that are never retried, and of those that are repeated after their response.
NO_RETRY_SHARE: Final = 0.01
REPEAT_SHARE: Final = 0.03
#: Kinds of operations that store their response under their key.
REPEATED_KINDS: Final = frozenset({"topup", "create", "accept", "cancel", "code"})
RETRY_FIRST_SECONDS: Final = 0.1
RETRY_MAX_SECONDS: Final = 1.0
#: Share of payers whom the redirect brings back; the others close the browser.
RETURN_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class SharedState:
    """State that all clients share. While ``working`` is clear, clients start no operation; ``over`` ends them."""

    gateway_url: str
    rate_per_client: float
    offers: OfferPool = field(default_factory=OfferPool)
    working: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class User:
    """An account; several clients act for it at once, each with its own session."""

    login: str
    password: str
    user_id: str


class Client:
    """Sends requests for one user. ``name`` prefixes the names of its operations."""

    def __init__(self, name: str, shared: SharedState, user: User, *, session_id: str, seed: int) -> None:
        self.name = name
        self.shared = shared
        self.user = user
        self.session_id = session_id
        self.rng = random.Random(f"{seed}/client/{name}")
        #: All operations, in order. An operation is added before its first request is sent.
        self.operations: list[Operation] = []
        #: Number of requests without a response.
        self.unanswered = 0
        self._gateway = Connection(shared.gateway_url)

    def begin(self, kind: str, path: str = "", body: dict[str, Any] | None = None, transaction: str = "") -> Operation:
        """Add an operation to the record."""
        name = f"{self.name}-{len(self.operations) + 1:05d}"
        self.operations.append(Operation(name, kind, self.user.user_id, path, body or {}, transaction))
        return self.operations[-1]

    def send(self, operation: Operation, method: str = "POST") -> Response | None:
        """Send a request until a response is final, and return that; return None after giving up."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        never_retries = self.rng.random() < NO_RETRY_SHARE
        pause = RETRY_FIRST_SECONDS
        while not operation.final:
            self._send_once(operation, method)
            if operation.is_unknown:
                if never_retries or time.monotonic() > deadline:
                    return None
                self.shared.over.wait(pause * self.rng.uniform(0.5, 1.5))
                pause = min(2 * pause, RETRY_MAX_SECONDS)
        if operation.kind in REPEATED_KINDS and self.rng.random() < REPEAT_SHARE:
            self._send_once(operation, method)
        return operation.final[0]

    def _send_once(self, operation: Operation, method: str) -> None:
        is_short = self.rng.random() < SHORT_TIMEOUT_SHARE
        timeout = self.rng.uniform(*SHORT_TIMEOUT_SECONDS) if is_short else TIMEOUT_SECONDS
        headers = {"Authorization": json.dumps({"sessionID": self.session_id})}
        if method == "POST":
            headers["Idempotency-Key"] = operation.name
        body = operation.body or None
        try:
            response = self._gateway.request(method, operation.path, body, headers=headers, timeout_seconds=timeout)
        except NoResponse:
            self.unanswered += 1
            return
        operation.responses.append(Response.of(response))

    def visit_bank(self, payment_url: str, transaction: str, kind: str) -> None:
        """Pay, be declined or abort (``kind``) until the page reports the end of the payment."""
        operation = self.begin(kind, transaction=transaction)
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while operation.outcome == "unknown" and time.monotonic() < deadline:
            visit = bank_page.visit(payment_url, kind)
            operation.outcome = visit.outcome
            if visit.outcome == "unknown":
                self.shared.over.wait(self.rng.uniform(RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS))
            elif visit.location and self.rng.random() < RETURN_SHARE:
                self._return_to_shop(visit.location)

    def _return_to_shop(self, location: str) -> None:
        """Follow the redirect, which moves no money; its response is ignored."""
        parts = urlsplit(location)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            self._gateway.request("GET", target, timeout_seconds=TIMEOUT_SECONDS)
        except NoResponse:
            self.unanswered += 1

    def close(self) -> None:
        self._gateway.close()

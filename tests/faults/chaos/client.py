"""One client: a person's device that asks, remembers every answer, and asks again where none came."""

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.chaos.journal import Journal
from tests.faults.chaos.market import Market
from tests.faults.chaos.tally import Tally
from tests.faults.chaos.wire import Answer, Silence, Wire

TIMEOUT_SECONDS: Final = 10.0
#: Some clients hang up long before an answer can be there, and ask again while the first request still runs.
HASTY_SHARE: Final = 0.03
HASTY_SECONDS: Final = (0.005, 0.3)
#: After so long an operation is left as it is. What became of it is then not known to its client.
PATIENCE_SECONDS: Final = 60.0
#: And some do not even ask twice.
FICKLE_SHARE: Final = 0.01
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 1.0


@dataclass(slots=True)
class Pace:
    """``working`` is clear while the clients are to finish what they have and begin nothing; ``over`` ends them."""

    rate_per_client: float
    working: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class World:
    """What all clients share."""

    gateway_url: str
    market: Market
    tally: Tally
    pace: Pace


@dataclass(frozen=True, slots=True)
class User:
    """An account; several clients may act for it at once. ``device_session`` is each client's own."""

    login: str
    password: str
    user_id: str


def decides(answer: Answer) -> bool:
    """Whether the client knows after this answer, or has to ask again with the same key."""
    code = answer.body.get("code") if isinstance(answer.body, dict) else None
    if answer.status >= 500:
        return code == "bank_refused"
    return answer.status != 429 and code != "request_in_progress"


class Client:
    """Asks on behalf of one user. ``name`` is also the name of its journal and begins its keys."""

    def __init__(self, name: str, world: World, user: User, *, session_id: str, journal: Journal, seed: int) -> None:
        self.name = name
        self.world = world
        self.user = user
        self.session_id = session_id
        self.rng = random.Random(f"{seed}/client/{name}")
        self.journal = journal
        self._gateway = Wire(world.gateway_url)
        self._operations = 0

    def new_operation(self) -> str:
        """The next operation's name, which is its idempotency key too."""
        self._operations += 1
        return f"{self.name}-{self._operations:05d}"

    def ask(
        self, operation: str, kind: str, method: str, path: str, body: dict[str, Any] | None = None, **facts: Any
    ) -> Answer | None:
        """Ask until an answer decides; None where the client has lost patience. Every step is in the journal."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        fickle = self.rng.random() < FICKLE_SHARE
        pause = FIRST_PAUSE_SECONDS
        self.journal.write("ask", operation=operation, kind=kind, method=method, path=path, body=body, **facts)
        while True:
            answer = self._once(operation, kind, method, path, body)
            if answer is not None and decides(answer):
                outcome = str(answer.status) if answer.status < 400 else f"{answer.status} {_code(answer)}"
                self._end(operation, kind, outcome)
                return answer
            if fickle or time.monotonic() > deadline:
                self._end(operation, kind, "unknown")
                return None
            self.world.pace.over.wait(pause * self.rng.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def ask_again(self, operation: str, kind: str, method: str, path: str, body: dict[str, Any] | None) -> None:
        """Repeat a request that is decided. What comes must be the first answer; whether it is, the checker sees."""
        self._once(operation, kind, method, path, body, again=True)

    def _once(
        self, operation: str, kind: str, method: str, path: str, body: dict[str, Any] | None, *, again: bool = False
    ) -> Answer | None:
        timeout = self.rng.uniform(*HASTY_SECONDS) if self.rng.random() < HASTY_SHARE else TIMEOUT_SECONDS
        headers = {"Authorization": json.dumps({"sessionID": self.session_id}), "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = operation
        text = json.dumps(body) if body is not None else None
        try:
            answer = self._gateway.request(method, path, headers=headers, body=text, timeout_seconds=timeout)
        except Silence as silence:
            self.journal.write("silence", operation=operation, kind=kind, why=str(silence))
            self.world.tally.request("no answer", decides=False)
            return None
        said = decides(answer)
        self.journal.write(
            "again" if again else "answer",
            operation=operation,
            kind=kind,
            status=answer.status,
            body=answer.body,
            decides=said,
            replayed=answer.headers.get("idempotency-replayed") == "true",
        )
        self.world.tally.request(str(answer.status), decides=said)
        return answer

    def _end(self, operation: str, kind: str, outcome: str) -> None:
        self.journal.write("end", operation=operation, kind=kind, outcome=outcome)
        self.world.tally.operation(kind, outcome)

    def close(self) -> None:
        self._gateway.close()
        self.journal.close()


def _code(answer: Answer) -> str:
    return str(answer.body.get("code", "")) if isinstance(answer.body, dict) else ""

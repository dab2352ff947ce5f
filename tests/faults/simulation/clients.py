"""Users with a memory: what they asked for, and what they were told. The checker holds the books against it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid5

from tests.faults.simulation.network import Wire
from tests.faults.simulation.services import PUBLIC_URL, SimulatedServices

NAMES: Final = ("Anna", "Boris", "Clara")
USERS: Final = {name: uuid5(UUID(int=2030), name) for name in NAMES}

#: These say "not now": the client may ask the same again.
_ASK_AGAIN: Final = frozenset({"request_in_progress", "bank_unavailable", "temporarily_unavailable"})
#: What an answer says about the check, for ever after.
ENDINGS: Final = {"check_used": "used", "check_expired": "expired", "check_cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wants. ``of`` is the wish that made the check.

    ``patience``: how often he asks again at once; ``persists``: whether he comes back until he has a final answer.
    """

    kind: str
    user: str
    amount: int = 0
    lifetime: int = 0
    of: str = ""
    wrong_code: bool = False
    keyed: bool = True
    patience: int = 0
    persists: bool = False

    def __str__(self) -> str:
        key = "" if self.keyed or self.kind == "balance" else ", without a key"
        match self.kind:
            case "topup":
                return f"{self.user} tops up {self.amount}{key}"
            case "create":
                return f"{self.user} writes a check of {self.amount} for {self.lifetime} s{key}"
            case "balance":
                return f"{self.user} looks at the balance"
            case "again":
                return f"{self.user} repeats {self.of} with its key"
            case "accept":
                return f"{self.user} accepts {self.of}{' with a wrong code' if self.wrong_code else ''}{key}"
            case "code":
                return f"{self.user} changes the code of {self.of}{key}"
            case _:
                return f"{self.user} wants to {self.kind} {self.of}{key}"


@dataclass(frozen=True, slots=True)
class Told:
    """A complete answer that reached the client."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))

    @property
    def is_final(self) -> bool:
        """Whether it says yes or no, and not "ask again"."""
        return (self.status < 500 and self.status != 429 and self.code not in _ASK_AGAIN) or self.code == "bank_refused"

    @property
    def is_yes(self) -> bool:
        return self.status < 300

    @property
    def is_end_of_check(self) -> bool:
        """Whether it says, of the check that was asked about, that it has ended."""
        return self.code in ENDINGS or self.body.get("status") in ("used", "cancelled")


@dataclass(slots=True)
class Asked:
    """A wish that was uttered: the very request, so that it can be repeated, and all answers that came."""

    wish: Wish
    service: str
    target: str
    body: dict[str, Any] | None
    key: str | None
    told: list[Told] = field(default_factory=list)
    #: What the one who accepts knew.
    code_used: str = ""
    requests: int = 0

    @property
    def final(self) -> list[Told]:
        return [told for told in self.told if told.is_final]

    @property
    def yes(self) -> Told | None:
        return next((told for told in self.told if told.is_yes), None)


class Clients:
    """All users of a seed, and everything that they know."""

    def __init__(self, services: SimulatedServices) -> None:
        self._services = services
        self.asked: dict[str, Asked] = {}
        #: Codes by the wish that made the check, in the order in which they were told.
        self.codes: dict[str, list[str]] = {}

    def reset(self) -> None:
        self.asked.clear()
        self.codes.clear()

    def number_of(self, name: str) -> str | None:
        """The number of the check that this wish made, if its creator was told."""
        asked = self.asked.get(name)
        return str(asked.yes.body["fastcheck"]) if asked and asked.wish.kind == "create" and asked.yes else None

    def page_of(self, name: str) -> str | None:
        """The payment page that this wish led to, if the user was told."""
        asked = self.asked.get(name)
        return str(asked.yes.body["paymentUrl"]) if asked and asked.wish.kind == "topup" and asked.yes else None

    def utter(self, name: str, wish: Wish) -> Asked | None:
        """Make the request of a wish; None where the user does not know enough to make it."""
        if wish.kind == "again":
            first = self.asked.get(wish.of)
            return first if first and first.key else None
        request = self._request(wish)
        if request is None or name in self.asked:
            return None
        service, target, body = request
        asked = Asked(wish, service, target, body, f"key-{name}" if wish.keyed and wish.kind != "balance" else None)
        asked.code_used = (body or {}).get("code", "")
        self.asked[name] = asked
        return asked

    def _request(self, wish: Wish) -> tuple[str, str, dict[str, Any] | None] | None:
        number = self.number_of(wish.of)
        match wish.kind:
            case "topup":
                return "payments", "/topup", {"amount": wish.amount, "returnUrl": f"{PUBLIC_URL}/back"}
            case "create":
                return "checks", "/fastcheck", {"amount": wish.amount, "expiresIn": wish.lifetime}
            case "balance":
                return "balance", "/balance", None
            case "accept" if number:
                code = self.codes[wish.of][-1]
                used = f"{(int(code) + 1) % 10_000:04d}" if wish.wrong_code else code
                return "checks", "/fastcheck/accept", {"fastcheck": number, "code": used}
            case "cancel" | "code" if number:
                return "checks", f"/fastcheck/{number}/{wish.kind}", None
            case _:
                return None

    def ask(self, wire: Wire, name: str, asked: Asked, patience: int) -> None:
        """Send the request, and again while there is no final answer and patience left. Runs as an actor."""
        for _ in range(patience + 1):
            asked.requests += 1
            told = self._send(wire, asked)
            if told is not None:
                self._hear(name, asked, told)
                if told.is_final:
                    return
            if asked.key is None:
                return  # nobody knows what would happen
            wire.stage.gate("asks again")

    def _send(self, wire: Wire, asked: Asked) -> Told | None:
        method = "GET" if asked.wish.kind == "balance" else "POST"
        headers: dict[str, str] = {
            "Authorization": self._services.token_for(asked.service, USERS[asked.wish.user]),
            "Content-Type": "application/json",
        }
        if asked.key:
            headers["Idempotency-Key"] = asked.key
        body = json.dumps(asked.body).encode() if asked.body is not None else b""
        answer = wire.call(asked.service, method, asked.target, headers, body)
        return Told(answer.status, _json(answer.headers, answer.body)) if answer else None

    def _hear(self, name: str, asked: Asked, told: Told) -> None:
        asked.told.append(told)
        if told.is_yes and asked.wish.kind in ("create", "code"):
            made_by = name if asked.wish.kind == "create" else asked.wish.of
            known = self.codes.setdefault(made_by, [])
            if told.body["code"] not in known:
                known.append(str(told.body["code"]))


def _json(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    assert headers["content-type"].startswith("application/json"), headers
    decoded: dict[str, Any] = json.loads(body)
    return decoded

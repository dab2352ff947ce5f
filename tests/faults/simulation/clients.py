"""Clients that remember their requests and all responses, which are then compared with the books."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from tests.faults.record import Operation, Record, Response
from tests.faults.simulation.network import Wire
from tests.faults.simulation.services import PUBLIC_URL, SimulatedServices

NAMES: Final = ("Anna", "Boris", "Clara")
USERS: Final = {name: uuid5(UUID(int=2030), name) for name in NAMES}


@dataclass(frozen=True, slots=True)
class Spec:
    """A request that a user makes. ``of`` is the spec that created the check.

    ``retries``: immediate repetitions; ``persists``: whether the client repeats until a response is final.
    """

    kind: str
    user: str
    amount: int = 0
    lifetime: int = 0
    of: str = ""
    wrong_code: bool = False
    keyed: bool = True
    retries: int = 0
    persists: bool = False

    def __str__(self) -> str:
        key = "" if self.keyed or self.kind == "balance" else ", without a key"
        match self.kind:
            case "topup":
                return f"{self.user} tops up {self.amount}{key}"
            case "create":
                return f"{self.user} creates a check of {self.amount} for {self.lifetime} s{key}"
            case "balance":
                return f"{self.user} reads the balance"
            case "again":
                return f"{self.user} repeats {self.of} with its key"
            case "accept":
                return f"{self.user} accepts {self.of}{' with a wrong code' if self.wrong_code else ''}{key}"
            case "code":
                return f"{self.user} changes the code of {self.of}{key}"
            case _:
                return f"{self.user} requests to {self.kind} {self.of}{key}"


@dataclass(slots=True, kw_only=True)
class Exchange(Operation):
    """The operation of a spec."""

    spec: Spec
    service: str
    requests: int = 0

    @property
    def key(self) -> str | None:
        """Return the idempotency key, if the client uses one."""
        return f"key-{self.name}" if self.spec.keyed and self.kind != "balance" else None


class Clients:
    """All users of a seed, and what they know."""

    def __init__(self, services: SimulatedServices) -> None:
        self._services = services
        self.asked: dict[str, Exchange] = {}
        #: Codes by the spec that created the check, in the order of responses.
        self.codes: dict[str, list[str]] = {}
        self._visits: dict[str, Operation] = {}

    def reset(self) -> None:
        self.asked.clear()
        self.codes.clear()
        self._visits.clear()

    def record(self) -> Record:
        """Return what the clients know."""
        return Record({str(user) for user in USERS.values()}, {**self.asked, **self._visits})

    def visit(self, topup: Exchange) -> None:
        """Record that the payer enters a card at the page of this top-up."""
        transaction = str(topup.success and topup.success.body["transactionID"])
        name = f"{topup.name}-visit"
        self._visits[name] = Operation(name, "pay", topup.user, transaction=transaction)

    def number_of(self, name: str) -> str | None:
        """Return the number of the check that this spec created, if its creator knows it."""
        asked = self.asked.get(name)
        return str(asked.success.body["fastcheck"]) if asked and asked.kind == "create" and asked.success else None

    def page_of(self, name: str) -> str | None:
        """Return the payment page of this top-up, if the user knows it."""
        asked = self.asked.get(name)
        return str(asked.success.body["paymentUrl"]) if asked and asked.kind == "topup" and asked.success else None

    def start(self, name: str, spec: Spec) -> Exchange | None:
        """Return the exchange of a spec; None if the user lacks the knowledge for it."""
        if spec.kind == "again":
            first = self.asked.get(spec.of)
            return first if first and first.key else None
        request = self._request(name, spec)
        if request is None or name in self.asked:
            return None
        service, path, body = request
        user = str(USERS[spec.user])
        self.asked[name] = Exchange(name, spec.kind, user, path, body, spec=spec, service=service)
        return self.asked[name]

    def _request(self, name: str, spec: Spec) -> tuple[str, str, dict[str, Any]] | None:
        number = self.number_of(spec.of)
        match spec.kind:
            case "topup":
                return "payments", "/topup", {"amount": spec.amount, "returnUrl": f"{PUBLIC_URL}/back"}
            case "create":
                return "checks", "/fastcheck", {"amount": spec.amount, "expiresIn": spec.lifetime, "note": name}
            case "balance":
                return "balance", "/balance", {}
            case "accept" if number:
                code = self.codes[spec.of][-1]
                used = f"{(int(code) + 1) % 10_000:04d}" if spec.wrong_code else code
                return "checks", "/fastcheck/accept", {"fastcheck": number, "code": used}
            case "cancel" | "code" if number:
                return "checks", f"/fastcheck/{number}/{spec.kind}", {}
            case _:
                return None

    def ask(self, wire: Wire, asked: Exchange, retries: int) -> None:
        """Send the request, and repeat it until a response is final or no retry is left. Runs as an actor."""
        for _ in range(retries + 1):
            asked.requests += 1
            response = self._send(wire, asked)
            if response is not None:
                self._receive(asked, response)
                if response.is_final:
                    return
            if asked.key is None:
                return  # without a key a repetition is another request
            wire.scheduler.gate("asks again")

    def _send(self, wire: Wire, asked: Exchange) -> Response | None:
        method = "GET" if asked.kind == "balance" else "POST"
        headers: dict[str, str] = {
            "Authorization": self._services.token_for(asked.service, USERS[asked.spec.user]),
            "Content-Type": "application/json",
        }
        if asked.key:
            headers["Idempotency-Key"] = asked.key
        body = json.dumps(asked.body).encode() if asked.body else b""
        answer = wire.call(asked.service, method, asked.path, headers, body)
        return Response(answer.status, _json(answer.headers, answer.body)) if answer else None

    def _receive(self, asked: Exchange, response: Response) -> None:
        asked.responses.append(response)
        if response.is_success and asked.kind in ("create", "code"):
            made_by = asked.name if asked.kind == "create" else asked.spec.of
            known = self.codes.setdefault(made_by, [])
            if response.body["code"] not in known:
                known.append(str(response.body["code"]))


def _json(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    assert headers["content-type"].startswith("application/json"), headers
    decoded: dict[str, Any] = json.loads(body)
    return decoded

"""Who asks, what he asks, and what he is told."""

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
#: How often somebody asks again, and how far everybody's clock leaps between: a minute and a half in all.
REPEATS: Final = 10
PAUSE_SECONDS: Final = 10
NAMES: Final = ("anna", "boris")


@dataclass(frozen=True, slots=True)
class Told:
    """A final answer."""

    status: int
    body: Any

    @property
    def is_yes(self) -> bool:
        return self.status < 300


@dataclass
class Request:
    """What somebody asks for, again and again under one key."""

    url: str
    path: str
    headers: dict[str, str]
    body: Any = None
    method: str = "POST"
    #: Every final answer that came.
    told: list[Told] = field(default_factory=list)
    #: What was not final: no answer at all, or "ask again".
    unclear: list[str] = field(default_factory=list)

    def ask(self) -> Told | None:
        """Once; None when it stays unclear what became of it."""
        wire = Wire(self.url)
        try:
            body = json.dumps(self.body) if self.body is not None else None
            answer = wire.request(
                self.method, self.path, headers=self.headers, body=body, timeout_seconds=TIMEOUT_SECONDS
            )
        except Silence as silence:
            self.unclear.append(str(silence))
            return None
        finally:
            wire.close()
        code = answer.body.get("code") if isinstance(answer.body, dict) else None
        if answer.status >= 500 or answer.status == 202 or code == "request_in_progress":
            self.unclear.append(f"{answer.status} {code}")
            return None
        self.told.append(Told(answer.status, answer.body or {"location": answer.headers.get("location")}))
        return self.told[-1]

    def ask_until_told(self, system: System) -> Told | None:
        """As often as a patient client does, in a time that leaps."""
        for _ in range(REPEATS):
            told = self.ask()
            if told is not None:
                return told
            system.leap(system.leapt + PAUSE_SECONDS)
        return None


class People:
    """Anna and Boris have sessions, the payer a card, the operator his key."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._gateway = system.urls["gateway"]
        self._sessions: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    def register(self) -> None:
        """Once for all flows: the users of accounts stay."""
        for name in NAMES:
            body = {"login": f"{name}-{secrets.token_hex(6)}", "password": secrets.token_urlsafe(12)}
            headers = {"Content-Type": "application/json"}
            told = Request(self._gateway, "/register", headers, body).ask()
            assert told, "nobody registers people"
            self._sessions[name] = told.body["sessionID"]
            self.ids[self.get(name, "/me", method="GET")["userID"]] = name

    def wants(self, name: str, path: str, body: Any = None, *, method: str = "POST", key: str = "") -> Request:
        headers = {"Authorization": f"Bearer {self._sessions[name]}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return Request(self._gateway, path, headers, body, method)

    def get(self, name: str, path: str, body: Any = None, *, method: str = "POST") -> Any:
        """Something that must be answered with yes, by a system that works."""
        key = "" if method == "GET" else secrets.token_hex(16)
        told = self.wants(name, path, body, method=method, key=key).ask_until_told(self._system)
        if told is None or not told.is_yes:
            raise AssertionError(f"{name} asked for {path} and was told {told}")
        return told.body

    def look(self) -> None:
        """Everybody looks at his balance, so that the gateway remembers the sessions."""
        for name in NAMES:
            self.get(name, "/balance", method="GET")

    def balances(self) -> dict[str, int]:
        """As they are told to their owners."""
        return {name: self.get(name, "/balance", method="GET")["balance"] for name in NAMES}

    def operator_wants(self, path: str, body: Any) -> Request:
        """Of payments, past the gateway, as the command line does."""
        token = TokenIssuer("operator", self._system.secrets.token_keys["operator"]).issue("payments")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return Request(self._system.urls["payments"], path, headers, body)

    def pay(self, page: str) -> None:
        """At the bank's page, until it says that it is over."""
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

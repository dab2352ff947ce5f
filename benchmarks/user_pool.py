"""Users with sessions and money for a measurement."""

import http.client
import json
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from benchmarks import topups
from benchmarks.system import System
from benchmarks.topups import TopUp

#: Enough for every measurement, in which each check is worth one kopeck.
FORTUNE_MINOR: Final = 10**10
CREDIT_TIMEOUT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user."""

    user_id: UUID
    session: str


def call(system: System, method: str, path: str, *, session: str = "", body: object = None) -> tuple[int, bytes]:
    """Send one request to the gateway on a new connection; return the status and the body."""
    parts = urlsplit(system.gateway_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    headers = {"Content-Type": "application/json"}
    if session:
        headers["Authorization"] = json.dumps({"sessionID": session})
    try:
        connection.request(method, path, body=json.dumps(body) if body is not None else None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def register(system: System, count: int) -> list[User]:
    """Register new users through the public API."""

    def one(_: int) -> User:
        status, body = call(
            system, "POST", "/register", body={"login": f"b-{secrets.token_hex(8)}", "password": secrets.token_hex(8)}
        )
        if status != 201:
            raise RuntimeError(f"a user was not registered: {status} {body!r}")
        answer = json.loads(body)
        return User(UUID(answer["userID"]), answer["sessionID"])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, range(count)))


def enrich(system: System, users: Sequence[User]) -> None:
    """Top up all users by card and wait until their balances show it."""
    topups.write(system, [TopUp.of(user.user_id, FORTUNE_MINOR) for user in users], paid=True)
    wait_for_balances(system, users, FORTUNE_MINOR)


def wait_for_balances(system: System, users: Sequence[User], amount_minor: int) -> None:
    """Wait until each user has this balance in minor units; raise RuntimeError after a minute."""
    deadline = time.monotonic() + CREDIT_TIMEOUT_SECONDS
    for user in users:
        while balance(system, user) < amount_minor:
            if time.monotonic() > deadline:
                raise RuntimeError("the money for the measurement did not arrive")
            time.sleep(_POLL_SECONDS)


def topup(system: System, user: User, amount_minor: int, return_url: str) -> str:
    """Open a top-up by the public API; return the address of its payment page."""
    status, body = call(
        system, "POST", "/topup", session=user.session, body={"amount": amount_minor, "returnUrl": return_url}
    )
    if status != 201:
        raise RuntimeError(f"no top-up: {status} {body!r}")
    return str(json.loads(body)["paymentUrl"])


def balance(system: System, user: User) -> int:
    """Return the balance in minor units from ``GET /balance``."""
    status, body = call(system, "GET", "/balance", session=user.session)
    if status != 200:
        raise RuntimeError(f"no balance: {status} {body!r}")
    return int(json.loads(body)["balance"])

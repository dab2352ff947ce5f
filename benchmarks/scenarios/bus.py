"""Operations over the bus: a bank's notification, a backlog of events, expiring checks."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self
from urllib.parse import urlsplit

from benchmarks import load, meters, topups, user_pool
from benchmarks.load import MOST_PROCESSES, Outcome, Requests, each_once, message
from benchmarks.system import System
from benchmarks.topups import TopUp
from benchmarks.user_pool import User
from common.core.ids import derived_id
from launcher.processes import is_replica_of

PER_SECOND: Final = 100
_SENDERS: Final = 8
_TIMEOUT_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.02
#: Seconds between reads of a balance that has not changed yet.
_BALANCE_POLL_SECONDS: Final = 0.003
_WITHOUT_END: Final = 3600.0


def notifications(system: System, count: int) -> list[float]:
    """Seconds from sending each signed notification, 100 a second, until ``GET /balance`` shows its money."""
    payers = user_pool.register(system, _SENDERS)
    waiting = [TopUp.of(payers[number % _SENDERS].user_id, 100) for number in range(count)]
    topups.write(system, waiting, paid=False)
    latencies: list[float] = []
    start = time.perf_counter() + 0.2

    def send(number: int) -> None:
        wire = _Wire(system, payers[number])
        for index in range(number, count, _SENDERS):
            time.sleep(max(0.0, start + index / PER_SECOND - time.perf_counter()))
            latencies.append(wire.notify(waiting[index]))
        wire.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(latencies) != count:
        raise RuntimeError("some notifications were not credited")
    return latencies


class _Wire:
    """A user's connection to the gateway."""

    def __init__(self, system: System, payer: User) -> None:
        parts = urlsplit(system.gateway_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
        self._secrets = system.secrets
        self._session = {"Authorization": json.dumps({"sessionID": payer.session})}
        self._credited = self._balance()

    def notify(self, topup: TopUp) -> float:
        body = topup.notification(self._secrets.tbank_terminal_key, self._secrets.tbank_password)
        began = time.perf_counter()
        self._connection.request("POST", "/bank/webhook/tbank", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        if (response.status, response.read()) != (200, b"OK"):
            raise RuntimeError(f"a notification was not accepted: {response.status}")
        self._credited += topup.amount_minor
        while self._balance() < self._credited:
            waited = time.perf_counter() - began
            if waited > _TIMEOUT_SECONDS:
                raise RuntimeError("a notification was not credited")
            # Waiting for a tenth of the elapsed time is exact enough; more frequent reads would load the machine.
            time.sleep(max(_BALANCE_POLL_SECONDS, waited / 10))
        return time.perf_counter() - began

    def _balance(self) -> int:
        self._connection.request("GET", "/balance", headers=self._session)
        return int(json.loads(self._connection.getresponse().read())["balance"])

    def close(self) -> None:
        self._connection.close()


def drain(system: System, users: Sequence[User], count: int) -> float:
    """Return the events per second that one worker of balance applies. Its queue is filled while it is stopped."""
    with _Watch(system, users) as watch:
        before = watch.balances()
        with _held_still(system, "balance-worker"):
            topups.write(system, [TopUp.of(users[n % len(users)].user_id, 1) for n in range(count)], paid=True)
            watch.until(watch.all_sent)
            started = time.perf_counter()
        watch.until(lambda: watch.balances() >= before + count)
        return count / (time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Expiry:
    """A sweep: checks per second that were expired and released, and CPU milliseconds per check."""

    per_second: float
    cpu_ms: float


def expire(system: System, users: Sequence[User], count: int) -> Expiry:
    """Create checks, let them expire, and measure until their money is back on the balances."""
    with _Watch(system, users) as watch:
        before = watch.balances()
        with _held_still(system, "checks-scheduler"):
            made = _short_lived_checks(system, users, count).done
            watch.until(watch.all_due)
        used = meters.cpu_seconds(system.processes)
        watch.until(watch.any_expired)
        began = time.perf_counter()
        watch.until(lambda: watch.balances() >= before)
        seconds = time.perf_counter() - began
        spent = sum(meters.used_between(used, meters.cpu_seconds(system.processes)).values())
        return Expiry(made / seconds, 1000 * spent / made)


class _Watch:
    """Reads progress from the databases with cheap queries, which must not affect the measurement."""

    _BALANCES: Final = "SELECT sum(balance_minor) FROM accounts WHERE account_id = ANY(%s::uuid[])"
    _EXPIRED: Final = "SELECT 1 FROM checks WHERE creator_id = ANY(%s::uuid[]) AND status = 'expired' LIMIT 1"
    _NOT_DUE: Final = """
        SELECT 1 FROM checks
         WHERE creator_id = ANY(%s::uuid[]) AND status = 'active'
           AND closes_at BETWEEN now() AND now() + interval '1 min'
         LIMIT 1
    """
    _UNSENT: Final = "SELECT 1 FROM outbox WHERE closed_at IS NULL AND sends = 0 LIMIT 1"

    def __init__(self, system: System, users: Sequence[User]) -> None:
        self._connections = {name: system.database(name) for name in ("balance", "checks", "payments")}
        self._users = [str(user.user_id) for user in users]
        self._accounts = [str(derived_id("account", user, "RUB")) for user in self._users]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def balances(self) -> int:
        """Return the sum of the users' balances in minor units."""
        return int(self._first("balance", self._BALANCES, self._accounts)[0])

    def any_expired(self) -> bool:
        return self._first("checks", self._EXPIRED, self._users) is not None

    def all_due(self) -> bool:
        """Return whether no check is due."""
        return self._first("checks", self._NOT_DUE, self._users) is None

    def all_sent(self) -> bool:
        return self._first("payments", self._UNSENT) is None

    def until(self, condition: Callable[[], bool]) -> None:
        """Poll until the condition is met."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError("the bus did not do its work in time")
            time.sleep(_POLL_SECONDS)

    def _first(self, service: str, query: str, *parameters: object) -> Any:
        with self._connections[service].cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchone()


_LIFETIME_SECONDS: Final = 1
_LIFE: Final = json.dumps({"amount": 1, "expiresIn": _LIFETIME_SECONDS}).encode()


def _short_lived_checks(system: System, users: Sequence[User], count: int) -> Outcome:
    requests = [message("POST", "/fastcheck", session=users[n % len(users)].session, body=_LIFE) for n in range(count)]
    sources: list[Callable[[], Requests]] = [
        partial(each_once, requests[number::MOST_PROCESSES]) for number in range(MOST_PROCESSES)
    ]
    return load.run(system.gateway_url, sources, connections=16, seconds=_WITHOUT_END)


@contextmanager
def _held_still(system: System, process: str) -> Iterator[None]:
    pids = [pid for name, pid in system.processes.items() if is_replica_of(name, process)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

"""All clients: they register before the first fault, work during faults, and read their balances after each round."""

import json
import secrets
from collections.abc import Iterator
from typing import Any, Final

from tests.faults.chaos.client import Client, SharedState, User
from tests.faults.chaos.client_thread import ClientThread
from tests.faults.connection import Connection
from tests.faults.record import Operation, Record
from tests.support.eventually import eventually

#: Clients per user: they spend one balance concurrently.
CLIENTS_PER_USER: Final = 2
#: Limit for the operations in progress after a pause begins.
FINISH_TIMEOUT_SECONDS: Final = 120.0
TIMEOUT_SECONDS: Final = 15.0


class Workload:
    """The clients of one system."""

    def __init__(self, gateway_url: str, *, clients: int, rate: float, seed: int) -> None:
        self._gateway = Connection(gateway_url)
        self._shared = SharedState(gateway_url, rate / clients)
        self._threads: list[ClientThread] = []
        self._clients: list[Client] = []
        for number in range(clients):
            if number % CLIENTS_PER_USER == 0:
                user = self._register(f"chaos-{seed}-{number}")
            client = Client(f"c{number:02d}", self._shared, user, session_id=self._sign_in(user), seed=seed)
            self._clients.append(client)
            self._threads.append(ClientThread(client, number))

    def start(self) -> None:
        """Start all clients; call once."""
        self._shared.working.set()
        for thread in self._threads:
            thread.start()

    def resume(self) -> None:
        """Resume after a pause."""
        for thread in self._threads:
            thread.idle.clear()
        self._shared.working.set()

    def pause(self) -> None:
        """Start no new operation; those in progress continue."""
        self._shared.working.clear()

    def wait_until_idle(self) -> None:
        """Wait until every client has finished or given up its operation."""
        eventually(lambda: all(thread.idle.is_set() for thread in self._threads), timeout=FINISH_TIMEOUT_SECONDS)
        for thread in self._threads:
            if thread.error is not None:
                raise RuntimeError(f"{thread.name} failed") from thread.error

    def operations(self) -> Iterator[Operation]:
        """Yield all operations, those in progress included."""
        for client in self._clients:
            yield from client.operations

    @property
    def unanswered(self) -> int:
        """Return the number of requests without a response."""
        return sum(client.unanswered for client in self._clients)

    def record(self) -> Record:
        """Read every user's balance, and return it with all operations. Call while the clients are idle."""
        balances: dict[str, int] = {}
        for client in self._clients[::CLIENTS_PER_USER]:
            headers = {"Authorization": json.dumps({"sessionID": client.session_id})}
            response = self._gateway.request("GET", "/balance", headers=headers, timeout_seconds=TIMEOUT_SECONDS)
            if response.status != 200:
                raise RuntimeError(f"without faults, GET /balance got {response.status} {response.text}")
            balances[client.user.user_id] = response.body["balance"]
        return Record(set(balances), {each.name: each for each in self.operations()}, balances)

    def stop(self) -> None:
        """Stop all clients."""
        self._shared.over.set()
        self._shared.working.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=TIMEOUT_SECONDS)
        for client in self._clients:
            client.close()
        self._gateway.close()

    def _register(self, login: str) -> User:
        password = secrets.token_urlsafe(16)
        return User(login, password, str(self._post("/register", {"login": login, "password": password})["userID"]))

    def _sign_in(self, user: User) -> str:
        return str(self._post("/login", {"login": user.login, "password": user.password})["sessionID"])

    def _post(self, path: str, body: dict[str, str]) -> Any:
        response = self._gateway.request("POST", path, body, timeout_seconds=TIMEOUT_SECONDS)
        if response.status >= 300:
            raise RuntimeError(f"POST {path} got {response.status} {response.text}")
        return response.body

"""All clients: they register before the first fault, work during faults, and read their balances after each round."""

import json
import secrets
from pathlib import Path
from typing import Final

from tests.faults.chaos.client import Client, SharedState, User
from tests.faults.chaos.client_thread import ClientThread
from tests.faults.chaos.journal import Journal
from tests.faults.chaos.wire import Answer, Wire
from tests.support.eventually import eventually

#: Clients per user: they spend one balance concurrently.
CLIENTS_PER_USER: Final = 2
#: Limit for the operations in progress after a pause begins.
FINISH_TIMEOUT_SECONDS: Final = 120.0
TIMEOUT_SECONDS: Final = 15.0


class Workload:
    """The clients of one system."""

    def __init__(self, gateway_url: str, folder: Path, *, clients: int, rate: float, seed: int) -> None:
        folder.mkdir(parents=True)
        self._gateway_url = gateway_url
        self._balances = Journal(folder / "balances.jsonl")
        self._shared = SharedState(gateway_url, rate / clients)
        self.tally = self._shared.tally
        self._threads: list[ClientThread] = []
        self._clients: list[Client] = []
        user: User | None = None
        for number in range(clients):
            if number % CLIENTS_PER_USER == 0 or user is None:
                user = self._register(f"chaos-{seed}-{number}")
            name = f"c{number:02d}"
            journal = Journal(folder / f"{name}.jsonl")
            journal.write("user", user=user.user_id)
            client = Client(name, self._shared, user, session_id=self._sign_in(user), journal=journal, seed=seed)
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

    def read_balances(self) -> None:
        """Read every user's balance and record it."""
        wire = Wire(self._gateway_url)
        for client in self._clients[::CLIENTS_PER_USER]:
            headers = {"Authorization": json.dumps({"sessionID": client.session_id})}
            response = wire.request("GET", "/balance", headers=headers, timeout_seconds=TIMEOUT_SECONDS)
            if response.status != 200:
                raise RuntimeError(f"without faults, GET /balance got {response.status} {response.text}")
            self._balances.write("balance_read", user=client.user.user_id, balance=response.body["balance"])
        wire.close()

    def stop(self) -> None:
        """Stop all clients."""
        self._shared.over.set()
        self._shared.working.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=TIMEOUT_SECONDS)
        for client in self._clients:
            client.close()
        self._balances.close()

    def _register(self, login: str) -> User:
        password = secrets.token_urlsafe(16)
        response = self._post("/register", {"login": login, "password": password}, 201)
        return User(login, password, str(response.body["userID"]))

    def _sign_in(self, user: User) -> str:
        response = self._post("/login", {"login": user.login, "password": user.password}, 200)
        return str(response.body["sessionID"])

    def _post(self, path: str, body: dict[str, str], status: int) -> Answer:
        wire = Wire(self._gateway_url)
        headers = {"Content-Type": "application/json"}
        response = wire.request("POST", path, headers=headers, body=json.dumps(body), timeout_seconds=TIMEOUT_SECONDS)
        wire.close()
        if response.status != status:
            raise RuntimeError(f"POST {path} got {response.status} {response.text}")
        return response

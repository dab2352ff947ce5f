"""All clients: they sign up before the first fault, work while faults strike, and look at the end of each round."""

import json
import secrets
from pathlib import Path
from typing import Final

from tests.faults.chaos.client import Client, Pace, User, World
from tests.faults.chaos.journal import Journal
from tests.faults.chaos.market import Market
from tests.faults.chaos.people import Person
from tests.faults.chaos.tally import Tally
from tests.faults.chaos.wire import Answer, Wire
from tests.support.eventually import eventually

#: So many clients act for one user: his money is spent from two places at once.
CLIENTS_PER_USER: Final = 2
#: All operations are done, or given up, within this after the clients were told to begin nothing new.
FINISH_SECONDS: Final = 120.0
TIMEOUT_SECONDS: Final = 15.0


class Crowd:
    """So many clients of one system."""

    def __init__(self, gateway_url: str, folder: Path, *, clients: int, rate: float, seed: int) -> None:
        folder.mkdir(parents=True)
        self._gateway_url = gateway_url
        self._looks = Journal(folder / "looks.jsonl")
        self.tally = Tally()
        self._pace = Pace(rate_per_client=rate / clients)
        world = World(gateway_url, Market(), self.tally, self._pace)
        self._people: list[Person] = []
        self._clients: list[Client] = []
        user: User | None = None
        for number in range(clients):
            if number % CLIENTS_PER_USER == 0 or user is None:
                user = self._signed_up(f"chaos-{seed}-{number}")
            name = f"c{number:02d}"
            journal = Journal(folder / f"{name}.jsonl")
            journal.write("user", user=user.user_id)
            client = Client(name, world, user, session_id=self._signed_in(user), journal=journal, seed=seed)
            self._clients.append(client)
            self._people.append(Person(client, number))

    def start(self) -> None:
        """Begin to work; once."""
        self._pace.working.set()
        for person in self._people:
            person.start()

    def work(self) -> None:
        """Go on after a rest."""
        for person in self._people:
            person.idle.clear()
        self._pace.working.set()

    def rest(self) -> None:
        """Begin nothing new from now on; what is under way goes on."""
        self._pace.working.clear()

    def wait_until_idle(self) -> None:
        """Wait until everybody has finished, or given up, what he was at."""
        eventually(lambda: all(person.idle.is_set() for person in self._people), timeout=FINISH_SECONDS)
        for person in self._people:
            if person.error is not None:
                raise RuntimeError(f"{person.name} broke down") from person.error

    def look(self) -> None:
        """Ask for every user's balance, and write down what he is told."""
        wire = Wire(self._gateway_url)
        for client in self._clients[::CLIENTS_PER_USER]:
            headers = {"Authorization": json.dumps({"sessionID": client.session_id})}
            answer = wire.request("GET", "/balance", headers=headers, timeout_seconds=TIMEOUT_SECONDS)
            if answer.status != 200:
                raise RuntimeError(f"in calm, GET /balance was answered {answer.status} {answer.text}")
            self._looks.write("seen", user=client.user.user_id, balance=answer.body["balance"])
        wire.close()

    def end(self) -> None:
        """Send everybody home."""
        self._pace.over.set()
        self._pace.working.set()
        for person in self._people:
            if person.is_alive():
                person.join(timeout=TIMEOUT_SECONDS)
        for client in self._clients:
            client.close()
        self._looks.close()

    def _signed_up(self, login: str) -> User:
        password = secrets.token_urlsafe(16)
        answer = self._in_calm("/register", {"login": login, "password": password}, 201)
        return User(login, password, str(answer.body["userID"]))

    def _signed_in(self, user: User) -> str:
        answer = self._in_calm("/login", {"login": user.login, "password": user.password}, 200)
        return str(answer.body["sessionID"])

    def _in_calm(self, path: str, body: dict[str, str], status: int) -> Answer:
        wire = Wire(self._gateway_url)
        headers = {"Content-Type": "application/json"}
        answer = wire.request("POST", path, headers=headers, body=json.dumps(body), timeout_seconds=TIMEOUT_SECONDS)
        wire.close()
        if answer.status != status:
            raise RuntimeError(f"POST {path} was answered {answer.status} {answer.text}")
        return answer

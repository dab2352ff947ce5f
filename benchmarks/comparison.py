"""Two systems under the same load, alternately, and the figures of both side by side.

The load uses the public API only, so the two may be any two commits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks import meters, user_pool
from benchmarks.load import Outcome
from benchmarks.results import Figures, median_of
from benchmarks.scenarios import requests
from benchmarks.system import System
from benchmarks.user_pool import User
from launcher.demo.bank_page import pay

READ, CREATE, ACCEPT = "GET /balance", "create", "accept"
OPERATIONS: Final = (READ, CREATE, ACCEPT)
WARM_UP_CLIENTS: Final = 32
#: In minor units; every check of the load is worth one.
DEPOSIT_MINOR: Final = 10**7

Round = tuple[Outcome, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    clients: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    rounds: int = 5
    seconds: float = 2.0
    warm_up_seconds: float = 2.0
    users: int = 64


@dataclass
class Subject:
    """One of the two systems, its users, and what was measured so far by operation and number of clients."""

    name: str
    system: System
    users: list[User] = field(default_factory=list)
    rounds: dict[tuple[str, int], list[Round]] = field(default_factory=dict)
    #: The checks that were created and not accepted yet.
    codes: requests.Codes = field(default_factory=list)

    def figures(self, operation: str, clients: int) -> Figures:
        """Return the medians over the rounds."""
        return median_of(operation, clients, self.rounds[operation, clients])

    def series(self, plan: Plan) -> dict[str, list[Figures]]:
        """Return the lines of this system for the charts."""
        return {f"{o}, {self.name}": [self.figures(o, c) for c in plan.clients] for o in OPERATIONS}

    def load(self, operation: str, clients: int, seconds: float) -> Outcome:
        """Run one operation; ``accept`` ends when every check of the last ``create`` is accepted."""
        url = self.system.gateway_url
        if operation == READ:
            return requests.read_balances(url, self.users, clients, seconds)
        if operation == CREATE:
            outcome, self.codes = requests.create_checks(url, self.users, clients, seconds)
            return outcome
        return requests.accept_checks(url, self.users, self.codes, clients)


def measure(subjects: Sequence[Subject], plan: Plan, say: Callable[[str], None]) -> None:
    """Load one subject after the other, operation by operation.

    The subject that begins changes with each round, so that a drift of the machine meets both alike.
    """
    for subject in subjects:
        say(f"{subject.name}: {plan.users} users register and top up.")
        subject.users = deposited(subject.system, plan.users)
    for subject in subjects:
        for operation in OPERATIONS:
            subject.load(operation, WARM_UP_CLIENTS, plan.warm_up_seconds)
    for clients in plan.clients:
        say(f"{clients} clients, {plan.rounds} rounds.")
        for number in range(plan.rounds):
            for operation in OPERATIONS:
                for subject in subjects if number % 2 == 0 else reversed(subjects):
                    metered = _metered(subject, operation, clients, plan.seconds)
                    subject.rounds.setdefault((operation, clients), []).append(metered)


def deposited(system: System, count: int) -> list[User]:
    """Return new users who have each topped up at the sandbox bank, with the money on their balances."""
    users = user_pool.register(system, count)
    return_url = f"{system.gateway_url}/?topup=done"
    for user in users:
        topup = user_pool.topup(system, user, DEPOSIT_MINOR, return_url)
        pay(topup, return_url)
    user_pool.wait_for_balances(system, users, DEPOSIT_MINOR)
    return users


def _metered(subject: Subject, operation: str, clients: int, seconds: float) -> Round:
    before = meters.cpu_seconds(subject.system.processes)
    outcome = subject.load(operation, clients, seconds)
    return outcome, meters.used_between(before, meters.cpu_seconds(subject.system.processes))

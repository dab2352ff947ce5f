"""The end of a seed: work is completed without faults in a bounded number of rounds, and then evaluated."""

from collections.abc import Collection, Iterator
from typing import Final
from uuid import UUID

from cryptography.fernet import Fernet

from common.bus import dead_letters
from common.contracts.envelope import Envelope
from tests.faults import checker, responses
from tests.faults.books import Check, read, unsealed
from tests.faults.simulation.bank import Payment
from tests.faults.simulation.clients import Exchange, Spec
from tests.faults.simulation.moves import Move
from tests.faults.simulation.quiescence import quiesce
from tests.faults.simulation.services import CODE_KEY
from tests.faults.simulation.system import SimulatedSystem

#: Seconds between rounds. Their sum exceeds every delay of the services.
ROUNDS: Final = (0, 1, 6, 30, 60, 300, 300, 300, 600, 3600, 600)
_TASKS: Final = ("flush", "finish", "expire", "poll", "relay-checks", "relay-payments")


def settle(system: SimulatedSystem) -> None:
    """Run rounds of all tasks until there is no violation. The checker reports what remains."""
    system.network.broker_is_up = True
    quiesce(system)
    for round_number, seconds in enumerate(ROUNDS):
        system.clock.advance(seconds)
        _replay_dead_letters(system)
        for name, asked in _unanswered(system):
            again = Move("ask", f"{name}+{round_number}", spec=_repetition(name, asked))
            system.apply(again)
        quiesce(system)
        for task in _TASKS:
            system.apply(Move("tick", f"end{round_number}-{task}", detail=task))
            quiesce(system)
        if not any(_unanswered(system)) and not any(_violations(system)):
            return


def evaluate(system: SimulatedSystem) -> list[str]:
    """Return one sentence per violation."""
    books = read(system.databases.rows)
    fernet = Fernet(CODE_KEY)

    def code_of(check: Check) -> str:
        return unsealed(fernet, bytes(check.sealed_code))[-4:].decode()  # the id of the check precedes the code

    return [
        *system.errors,
        *checker.violations(books, _payments(system)),
        *responses.violations(books, _payments(system), system.clients.record(), code_of),
        *(f"{name} ({asked.spec}) never received a final response" for name, asked in _unanswered(system)),
    ]


def _violations(system: SimulatedSystem) -> Iterator[str]:
    return checker.violations(read(system.databases.rows), _payments(system))


def _payments(system: SimulatedSystem) -> Collection[Payment]:
    return system.bank.payments.values()


def _unanswered(system: SimulatedSystem) -> Iterator[tuple[str, Exchange]]:
    for name, asked in system.clients.asked.items():
        if asked.spec.persists and asked.requests and not asked.final:
            yield name, asked


def _repetition(name: str, asked: Exchange) -> Spec:
    return Spec("again", asked.spec.user, of=name)


def _replay_dead_letters(system: SimulatedSystem) -> None:
    """Replay parked events, as an operator does."""
    db = system.services.balance.db
    with db.autocommit() as tx:
        parked = dead_letters.list_open(tx, limit=100)
    for packet in parked:
        with db.transaction() as tx:
            released = dead_letters.release(tx, UUID(str(packet.event_id)), reason="simulated operator")
        if released is not None:
            system.services.inbox.receive(released[0], [Envelope.from_wire(released[1])])

"""The end of a seed: no more faults, a bounded number of steps, and then everything must be in order."""

from collections.abc import Collection, Iterator
from typing import Final
from uuid import UUID

from common.bus import dead_letters
from common.contracts.envelope import Envelope
from tests.faults import checker
from tests.faults.books import read
from tests.faults.simulation.bank import Payment
from tests.faults.simulation.calm import calm
from tests.faults.simulation.clients import Asked, Wish
from tests.faults.simulation.moves import Move
from tests.faults.simulation.promises import Promises
from tests.faults.simulation.services import CODE_KEY
from tests.faults.simulation.world import World

#: Seconds between one round of all tasks and the next: every delay of the services is shorter than their sum.
ROUNDS: Final = (0, 1, 6, 30, 60, 300, 300, 300, 600, 3600, 600)
_TASKS: Final = ("flush", "finish", "expire", "poll", "relay-checks", "relay-payments")


def settle(world: World) -> None:
    """Let everything come to its end; what is not at its end after the last round, the checker will name."""
    world.network.broker_is_up = True
    calm(world)
    for round_number, seconds in enumerate(ROUNDS):
        world.clock.advance(seconds)
        _replay_dead_letters(world)
        for name, asked in _unanswered(world):
            again = Move("ask", f"{name}+{round_number}", wish=_repetition(name, asked))
            world.apply(again)
        calm(world)
        for task in _TASKS:
            world.apply(Move("nudge", f"end{round_number}-{task}", detail=task))
            calm(world)
        if not any(_unanswered(world)) and not any(_violations(world)):
            return


def judge(world: World) -> list[str]:
    """Everything that is wrong, in sentences."""
    books = read(world.databases.rows)
    return [
        *world.bugs,
        *checker.violations(books, _payments(world)),
        *Promises(world.clients, books, CODE_KEY).broken(),
    ]


def _violations(world: World) -> Iterator[str]:
    return checker.violations(read(world.databases.rows), _payments(world))


def _payments(world: World) -> Collection[Payment]:
    return world.bank.payments.values()


def _unanswered(world: World) -> Iterator[tuple[str, Asked]]:
    for name, asked in world.clients.asked.items():
        if asked.wish.persists and asked.requests and not asked.final:
            yield name, asked


def _repetition(name: str, asked: Asked) -> Wish:
    return Wish("again", asked.wish.user, of=name)


def _replay_dead_letters(world: World) -> None:
    """What an operator does after too many crashes in the middle of one event."""
    db = world.services.balance.db
    with db.autocommit() as tx:
        parked = dead_letters.list_open(tx, limit=100)
    for letter in parked:
        with db.transaction() as tx:
            released = dead_letters.release(tx, UUID(str(letter.event_id)), reason="simulated operator")
        if released is not None:
            world.services.inbox.receive(released[0], [Envelope.from_wire(released[1])])

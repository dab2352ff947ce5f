"""Completes all work without faults: every packet arrives, and every actor runs to its end."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.faults.simulation.actors import State
from tests.faults.simulation.moves import ALL_GATES, Move

if TYPE_CHECKING:
    from tests.faults.simulation.system import SimulatedSystem

#: More moves than this indicate an endless loop.
MAX_MOVES: Final = 5_000


class NotQuiescent(Exception):
    """The services never stop sending requests or messages."""


def quiescing_moves(system: "SimulatedSystem", only: str = "") -> Iterator[Move]:
    """Yield moves until no actor runs and no packet is in flight; with ``only``, of that actor and its calls.

    Apply each move before requesting the next.
    """
    for _ in range(MAX_MOVES):
        move = _next(system, only)
        if move is None:
            return
        yield move
    raise NotQuiescent(
        f"after {MAX_MOVES} moves: {list(system.scheduler.actors.values())}, {list(system.network.in_flight)}"
    )


def _next(system: "SimulatedSystem", only: str) -> Move | None:
    for actor in system.in_state(State.READY):
        if _comes_of(actor.name, only):
            return Move("run", actor.name, ALL_GATES)
    for name in sorted(system.network.in_flight):
        if _comes_of(name, only):
            return Move("deliver", name)
    for actor in system.in_state(State.WAITING):
        # Its request or the response was lost, unless the actor that serves it waits for a lock.
        if _comes_of(actor.name, only) and not system.serves(actor):
            return Move("time_out", actor.name)
    return None


def _comes_of(name: str, only: str) -> bool:
    return not only or name == only or name.startswith(f"{only}/")


def quiesce(system: "SimulatedSystem", only: str = "") -> bool:
    """Apply all moves; return whether there were any."""
    moved = False
    for move in quiescing_moves(system, only):
        moved = system.apply(move)
    return moved

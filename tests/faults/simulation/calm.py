"""What happens when nothing goes wrong any more: everything arrives, everybody runs to his end."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.faults.simulation.actors import State
from tests.faults.simulation.moves import ALL_GATES, Move

if TYPE_CHECKING:
    from tests.faults.simulation.world import World

#: More moves than this mean that something goes in a circle.
MOST_MOVES: Final = 5_000


class NeverCalm(Exception):
    """The services keep each other busy for ever."""


def calm_moves(world: "World", only: str = "") -> Iterator[Move]:
    """Moves until nobody runs and nothing is under way; with ``only``, of that actor and all that comes of him.

    Each must be made before the next is asked for.
    """
    for _ in range(MOST_MOVES):
        move = _next(world, only)
        if move is None:
            return
        yield move
    raise NeverCalm(f"after {MOST_MOVES} moves: {list(world.stage.actors.values())}, {list(world.network.in_flight)}")


def _next(world: "World", only: str) -> Move | None:
    for actor in world.in_state(State.READY):
        if _comes_of(actor.name, only):
            return Move("run", actor.name, ALL_GATES)
    for name in sorted(world.network.in_flight):
        if _comes_of(name, only):
            return Move("deliver", name)
    for actor in world.in_state(State.WAITING):
        # His request or its answer was lost: nothing will come. Unless somebody who serves him waits for a lock.
        if _comes_of(actor.name, only) and not world.serves(actor):
            return Move("time_out", actor.name)
    return None


def _comes_of(name: str, only: str) -> bool:
    return not only or name == only or name.startswith(f"{only}/")


def calm(world: "World", only: str = "") -> bool:
    """Make all of them; returns whether there were any."""
    moved = False
    for move in calm_moves(world, only):
        moved = world.apply(move)
    return moved

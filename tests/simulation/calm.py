"""What happens when nothing goes wrong any more: everything arrives, everybody runs to his end."""

from collections.abc import Iterator
from typing import Final

from tests.simulation.actors import State
from tests.simulation.moves import ALL_GATES, Move
from tests.simulation.world import World

#: More moves than this mean that something goes in a circle.
MOST_MOVES: Final = 5_000


class NeverCalm(Exception):
    """The services keep each other busy for ever."""


def calm_moves(world: World) -> Iterator[Move]:
    """Moves until nobody runs and nothing is under way. Each must be made before the next is asked for."""
    for _ in range(MOST_MOVES):
        move = _next(world)
        if move is None:
            return
        yield move
    raise NeverCalm(f"after {MOST_MOVES} moves: {list(world.stage.actors.values())}, {list(world.network.in_flight)}")


def _next(world: World) -> Move | None:
    for actor in world.in_state(State.READY):
        return Move("run", actor.name, ALL_GATES)
    for name in sorted(world.network.in_flight):
        return Move("deliver", name)
    for actor in world.in_state(State.WAITING):
        # His request or its answer was lost: nothing will come.
        return Move("time_out", actor.name)
    return None


def calm(world: World) -> None:
    """Make all of them."""
    for move in calm_moves(world):
        world.apply(move)

"""From a seed that fails to the few moves that make it fail (delta debugging, Zeller and Hildebrandt 2002)."""

from typing import Final

from tests.faults.simulation.moves import Move
from tests.faults.simulation.runner import Outcome, replay
from tests.faults.simulation.world import World

#: A replay takes a fraction of a second; so many are worth waiting for.
MOST_REPLAYS: Final = 400


def shrink(world: World, failed: Outcome) -> Outcome:
    """Leave out as many moves as may be left out while something is still wrong; returns the smallest found."""
    best, parts, replays = failed, 2, 0
    while len(best.moves) > 1 and replays < MOST_REPLAYS:
        size = -(-len(best.moves) // parts)
        for start in range(0, len(best.moves), size):
            fewer: list[Move] = best.moves[:start] + best.moves[start + size :]
            outcome = replay(world, failed.seed, fewer)
            replays += 1
            if outcome.failed and len(outcome.moves) < len(best.moves):
                best, parts = outcome, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(best.moves))
    return best


def story(outcome: Outcome) -> str:
    """The moves and what they led to, for a person."""
    steps = "\n".join(f"  {number:3}. {move}" for number, move in enumerate(outcome.moves, 1))
    wrong = "\n".join(f"  - {violation}" for violation in outcome.violations)
    return f"seed {outcome.seed}, {len(outcome.moves)} moves:\n{steps}\nthen everything settles, and:\n{wrong}"

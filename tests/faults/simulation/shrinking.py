"""Shrinks a failing seed to the moves that cause the failure (delta debugging, Zeller and Hildebrandt 2002)."""

from typing import Final

from tests.faults.simulation.moves import Move
from tests.faults.simulation.runner import Outcome, replay
from tests.faults.simulation.system import SimulatedSystem

#: A replay takes a fraction of a second.
MAX_REPLAYS: Final = 400


def shrink(system: SimulatedSystem, failed: Outcome) -> Outcome:
    """Remove moves while the run still fails; return the smallest failing run."""
    best, parts, replays = failed, 2, 0
    while len(best.moves) > 1 and replays < MAX_REPLAYS:
        size = -(-len(best.moves) // parts)
        for start in range(0, len(best.moves), size):
            fewer: list[Move] = best.moves[:start] + best.moves[start + size :]
            outcome = replay(system, failed.seed, fewer)
            replays += 1
            if outcome.failed and len(outcome.moves) < len(best.moves):
                best, parts = outcome, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(best.moves))
    return best


def trace(outcome: Outcome) -> str:
    """Return the moves and their violations as text."""
    steps = "\n".join(f"  {number:3}. {move}" for number, move in enumerate(outcome.moves, 1))
    wrong = "\n".join(f"  - {violation}" for violation in outcome.violations)
    return f"seed {outcome.seed}, {len(outcome.moves)} moves:\n{steps}\nthen everything settles, and:\n{wrong}"

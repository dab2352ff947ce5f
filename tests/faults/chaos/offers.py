"""Where checks change hands: a number and a code, as one person gives them to another."""

import random
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

MOST_OFFERS: Final = 5_000
#: Who runs for a check waits so long for the others, so that their requests meet.
GATE_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody needs to know to get the money. ``gate`` is for those who run for the same check."""

    number: str
    code: str
    amount: int
    gate: threading.Barrier | None = None

    def on_your_marks(self) -> None:
        """Return when all who run are there, or do not come."""
        if self.gate is not None:
            # Who comes too late, or waits in vain, runs by himself.
            with suppress(threading.BrokenBarrierError):
                self.gate.wait(GATE_SECONDS)


class Market:
    """Offers that are open. One that is put up several times is run for by several people."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offers: list[Offer] = []

    def put_up(self, offer: Offer, copies: int) -> None:
        gate = threading.Barrier(copies) if copies > 1 else None
        with self._lock:
            if len(self._offers) < MOST_OFFERS:
                self._offers.extend([replace(offer, gate=gate)] * copies)

    def take(self, rng: random.Random) -> Offer | None:
        """One of the newest, so that copies of one check meet."""
        with self._lock:
            if not self._offers:
                return None
            place = max(0, len(self._offers) - 1 - rng.randrange(8))
            return self._offers.pop(place)

    def __len__(self) -> int:
        return len(self._offers)

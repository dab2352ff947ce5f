"""Checks on offer: number and code, passed from one client to another."""

import random
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

MAX_OFFERS: Final = 5_000
#: A racing client waits this long for the others, so that their requests overlap.
BARRIER_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Offer:
    """What an acceptor needs. ``barrier`` synchronizes the clients that race for one check."""

    number: str
    code: str
    amount: int
    barrier: threading.Barrier | None = None

    def wait_for_others(self) -> None:
        """Return when all racing clients have arrived, or after the limit."""
        if self.barrier is not None:
            # A client that is late or waits in vain continues alone.
            with suppress(threading.BrokenBarrierError):
                self.barrier.wait(BARRIER_SECONDS)


class OfferPool:
    """Open offers. Several clients race for an offer that was added in several copies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offers: list[Offer] = []

    def add(self, offer: Offer, copies: int) -> None:
        barrier = threading.Barrier(copies) if copies > 1 else None
        with self._lock:
            if len(self._offers) < MAX_OFFERS:
                self._offers.extend([replace(offer, barrier=barrier)] * copies)

    def take(self, rng: random.Random) -> Offer | None:
        """Remove and return one of the newest offers, so that the copies of one check meet."""
        with self._lock:
            if not self._offers:
                return None
            place = max(0, len(self._offers) - 1 - rng.randrange(8))
            return self._offers.pop(place)

    def __len__(self) -> int:
        return len(self._offers)

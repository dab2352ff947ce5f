"""Where checks change hands: a number and a code, as one person gives them to another."""

import random
import threading
from dataclasses import dataclass
from typing import Final

MOST_OFFERS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody needs to know to get the money."""

    number: str
    code: str
    amount: int


class Market:
    """Offers that are open. One that is put up several times is run for by several people."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offers: list[Offer] = []

    def put_up(self, offer: Offer, copies: int) -> None:
        with self._lock:
            if len(self._offers) < MOST_OFFERS:
                self._offers.extend([offer] * copies)

    def take(self, rng: random.Random) -> Offer | None:
        """One of the newest, so that copies of one check meet."""
        with self._lock:
            if not self._offers:
                return None
            place = max(0, len(self._offers) - 1 - rng.randrange(8))
            return self._offers.pop(place)

    def __len__(self) -> int:
        return len(self._offers)

"""The options of one run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: One round: workload and faults, then a pause until all is settled and the books are compared.
ROUND_SECONDS: Final = 100.0
#: The part of a round in which faults strike; the rest is for settling.
STRIKING_SHARE: Final = 0.8
LONGEST_FREEZE_SECONDS: Final = 20.0

#: Settings that differ from the defaults: lifetimes of seconds, so that checks expire during a run, and polling after
#: seconds instead of minutes, so that a lost notification does not delay settling.
SETTINGS: Final = {
    "FASTCHECK_MIN_CHECK_LIFETIME_SECONDS": "1",
    "FASTCHECK_EXPIRY_SWEEP_SECONDS": "1",
    "FASTCHECK_RATE_LIMIT_ENABLED": "false",
    "FASTCHECK_TOPUP_POLL_FIRST_SECONDS": "3",
    "FASTCHECK_TOPUP_POLL_MAX_SECONDS": "8",
}


@dataclass(frozen=True, slots=True)
class Options:
    """``rate``: target operations per second of all clients; ``out``: folder for the results."""

    seed: int
    minutes: float
    clients: int
    rate: float
    out: Path
    settle_seconds: float = 30.0
    keep: bool = False
    #: Replicas of each process of the services.
    replicas: int = 1
    #: Whether the bus is RabbitMQ; Redis is then only the gateway's cache.
    on_rabbitmq: bool = False

    @property
    def bus(self) -> str:
        return "RabbitMQ" if self.on_rabbitmq else "Redis"

    @property
    def rounds(self) -> int:
        return max(1, round(self.minutes * 60 / ROUND_SECONDS))

    @property
    def striking_seconds(self) -> float:
        """Return how long faults strike in each round."""
        return self.minutes * 60 / self.rounds * STRIKING_SHARE

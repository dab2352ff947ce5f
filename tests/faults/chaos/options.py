"""What one run is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: One round: people work and faults strike, then both stop until all is settled, and the books are compared.
ROUND_SECONDS: Final = 100.0
#: The part of a round in which faults strike; the rest is for settling.
STRIKING_SHARE: Final = 0.8
LONGEST_FREEZE_SECONDS: Final = 20.0

#: What the system under chaos is told besides the defaults. Lives of seconds, so that checks expire while one watches;
#: and a bank that loses its notifications is asked in seconds and not in minutes, so that "settled" can be seen soon.
SETTINGS: Final = {
    "FASTCHECK_MIN_CHECK_LIFETIME_SECONDS": "1",
    "FASTCHECK_EXPIRY_SWEEP_SECONDS": "1",
    "FASTCHECK_RATE_LIMIT_ENABLED": "false",
    "FASTCHECK_TOPUP_POLL_FIRST_SECONDS": "3",
    "FASTCHECK_TOPUP_POLL_MAX_SECONDS": "8",
}


@dataclass(frozen=True, slots=True)
class Options:
    """``rate`` is how many operations per second the clients aim at together; ``out`` gets all that is to be kept."""

    seed: int
    minutes: float
    clients: int
    rate: float
    out: Path
    settle_seconds: float = 30.0
    keep: bool = False
    #: How often each process of the services runs.
    replicas: int = 1
    #: Whether the bus is a RabbitMQ of the run's own; Redis then is the gateway's cache alone.
    on_rabbitmq: bool = False

    @property
    def bus(self) -> str:
        return "RabbitMQ" if self.on_rabbitmq else "Redis"

    @property
    def rounds(self) -> int:
        return max(1, round(self.minutes * 60 / ROUND_SECONDS))

    @property
    def striking_seconds(self) -> float:
        """How long faults strike in each round."""
        return self.minutes * 60 / self.rounds * STRIKING_SHARE

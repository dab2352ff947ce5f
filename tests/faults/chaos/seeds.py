"""The seeds that ever failed: each is run again before a new one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("seeds.txt")


@dataclass(frozen=True, slots=True)
class Kept:
    """A seed, and how long its run was."""

    seed: int
    minutes: float


def read() -> list[Kept]:
    """In the order of the file."""
    lines = (line.partition("#")[0].split() for line in FILE.read_text().splitlines())
    return [Kept(int(words[0]), float(words[1])) for words in lines if words]


def keep(seed: int, minutes: float) -> None:
    """Add a seed, unless it is there."""
    if seed not in {kept.seed for kept in read()}:
        with FILE.open("a") as file:
            file.write(f"{seed} {minutes:g}\n")

"""Seeds that failed in earlier runs; each runs again before a new one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("seeds.txt")


@dataclass(frozen=True, slots=True)
class SavedSeed:
    """A seed and the length of its run."""

    seed: int
    minutes: float


def read() -> list[SavedSeed]:
    """Return the seeds in the order of the file."""
    lines = (line.partition("#")[0].split() for line in FILE.read_text().splitlines())
    return [SavedSeed(int(words[0]), float(words[1])) for words in lines if words]


def save(seed: int, minutes: float) -> None:
    """Add a seed if it is new."""
    if seed not in {saved.seed for saved in read()}:
        with FILE.open("a") as file:
            file.write(f"{seed} {minutes:g}\n")

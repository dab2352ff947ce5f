"""A violation found by the checker."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule. ``subject`` names the row or operation."""

    rule: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.message}"

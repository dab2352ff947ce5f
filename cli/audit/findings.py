"""What an audit says: what is wrong, what is on its way, and how much money is where."""

from dataclasses import dataclass, field
from typing import Any, Final

#: Of one rule, so many findings are told one by one; the rest is counted.
MAX_FINDINGS_PER_RULE: Final = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that cannot be right. ``subject`` says where to look."""

    rule: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """Money whose move is decided and not yet in the ledger, and why that is in order."""

    subject: str
    amount_minor: int
    currency: str
    reason: str


@dataclass(slots=True)
class Report:
    """The outcome of one audit."""

    findings: list[Finding] = field(default_factory=list)
    in_flight: list[InFlight] = field(default_factory=list)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """For programs; ``totals`` are minor units by place and currency."""
        return {
            "clean": self.is_clean,
            "findings": [{"rule": f.rule, "subject": f.subject, "message": f.message} for f in self.findings],
            "in_flight": [
                {"subject": i.subject, "amount": i.amount_minor, "currency": i.currency, "reason": i.reason}
                for i in self.in_flight
            ],
            "totals": self.totals,
            "counts": self.counts,
            "rules": self.rules,
        }

"""The combined journals: what each operation requested, and what its client knows about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: The fields of a repeated response that must equal the first one.
REPEATED_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "top up": ("transactionID", "amount", "paymentUrl"),
    "create": ("fastcheck", "code", "amount", "expiration", "note"),
    "accept": ("fastcheck", "amount", "acceptedAt"),
    "cancel": ("fastcheck", "amount", "cancelledAt"),
}


@dataclass(slots=True)
class Operation:
    """``status`` and ``response`` are None without a final response: the operation may or may not have happened."""

    name: str
    kind: str
    user: str
    path: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    transaction: str = ""
    status: int | None = None
    response: dict[str, Any] = field(default_factory=dict)
    outcome: str = "unknown"
    repeats: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def is_unknown(self) -> bool:
        return self.status is None

    @property
    def code(self) -> str:
        """Return the error code of the response."""
        return str(self.response.get("code", ""))

    @property
    def number(self) -> str:
        """Return the number of its check as twelve digits."""
        written = self.body.get("fastcheck") or self.response.get("fastcheck") or _number_in(self.path)
        return str(written).replace("-", "")


@dataclass(slots=True)
class Record:
    """All journals. ``balances``: the last balance that each user read while nothing changed."""

    users: dict[str, str] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    #: Operations with a response of 500 on any attempt, which is always a bug.
    server_errors: list[str] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Operation]:
        return [operation for operation in self.operations.values() if operation.kind == kind]


def read_record(lines: Iterable[dict[str, Any]]) -> Record:
    """Combine the lines of all journals; the lines of each client are in order."""
    record = Record()
    for line in lines:
        if line.get("status") == 500:
            record.server_errors.append(f"{line['kind']} {line['operation']}")
        match line["event"]:
            case "user":
                record.users[line["who"]] = line["user"]
            case "request":
                _add_operation(record, line)
            case "response" if line["decides"]:
                operation = record.operations[line["operation"]]
                operation.status, operation.response = line["status"], _object(line["body"])
            case "repeat" if line["decides"]:
                record.operations[line["operation"]].repeats.append((line["status"], _object(line["body"])))
            case "end":
                record.operations[line["operation"]].outcome = line["outcome"]
            case "balance_read":
                record.balances[line["user"]] = line["balance"]
    return record


def _add_operation(record: Record, line: dict[str, Any]) -> None:
    record.operations[line["operation"]] = Operation(
        name=line["operation"],
        kind=line["kind"],
        user=record.users[line["who"]],
        path=line.get("path", ""),
        body=line.get("body") or {},
        transaction=line.get("transaction", ""),
    )


def _object(body: object) -> dict[str, Any]:
    return body if isinstance(body, dict) else {}


def _number_in(path: str) -> str:
    """``/fastcheck/1234-5678-0001/cancel``"""
    parts = path.split("/")
    return parts[2] if len(parts) > 3 else ""

"""The clients' journals, put together: what each operation asked for, and what its client knows about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Of an answer that is given again, the parts that must be the same as the first time.
SAME: Final[Mapping[str, tuple[str, ...]]] = {
    "top up": ("transactionID", "amount", "paymentUrl"),
    "create": ("fastcheck", "code", "amount", "expiration", "note"),
    "accept": ("fastcheck", "amount", "acceptedAt"),
    "cancel": ("fastcheck", "amount", "cancelledAt"),
}


@dataclass(slots=True)
class Operation:
    """``status`` and ``answer`` are None while no answer has decided it: then it may or may not have happened."""

    name: str
    kind: str
    user: str
    path: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    transaction: str = ""
    status: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    outcome: str = "unknown"
    again: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    @property
    def said_yes(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def is_unknown(self) -> bool:
        return self.status is None

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.answer.get("code", ""))

    @property
    def number(self) -> str:
        """The check that it is about, as twelve digits."""
        spelt = self.body.get("fastcheck") or self.answer.get("fastcheck") or _number_in(self.path)
        return str(spelt).replace("-", "")


@dataclass(slots=True)
class Record:
    """Everything that clients wrote. ``balances`` is what each user was told last, while nothing moved."""

    users: dict[str, str] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    #: Operations that were answered 500 on the way: a bug, whatever became of them.
    bugs: list[str] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Operation]:
        return [operation for operation in self.operations.values() if operation.kind == kind]


def read_record(lines: Iterable[dict[str, Any]]) -> Record:
    """Put the lines of all journals together; each client's come in their order."""
    record = Record()
    for line in lines:
        if line.get("status") == 500:
            record.bugs.append(f"{line['kind']} {line['operation']}")
        match line["say"]:
            case "user":
                record.users[line["who"]] = line["user"]
            case "ask":
                _ask(record, line)
            case "answer" if line["decides"]:
                operation = record.operations[line["operation"]]
                operation.status, operation.answer = line["status"], _object(line["body"])
            case "again" if line["decides"]:
                record.operations[line["operation"]].again.append((line["status"], _object(line["body"])))
            case "end":
                record.operations[line["operation"]].outcome = line["outcome"]
            case "seen":
                record.balances[line["user"]] = line["balance"]
    return record


def _ask(record: Record, line: dict[str, Any]) -> None:
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

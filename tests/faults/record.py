"""What clients requested, and the responses that they received: one side of the comparison in ``responses.py``."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tests.faults.connection import HttpResponse

#: Error codes after which a client may repeat its request.
_RETRY_CODES: Final = frozenset({"request_in_progress", "bank_unavailable", "temporarily_unavailable"})


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response that reached the client."""

    status: int
    body: dict[str, Any]

    @classmethod
    def of(cls, response: HttpResponse) -> Self:
        """Return the response without its headers. A body that is no JSON object is empty."""
        return cls(response.status, response.body if isinstance(response.body, dict) else {})

    @property
    def code(self) -> str:
        """Return the error code, or an empty string."""
        return str(self.body.get("code", ""))

    @property
    def is_final(self) -> bool:
        """Return whether the client need not repeat the request."""
        if self.status >= 500:
            return self.code == "bank_refused"
        return self.status not in (202, 429) and self.code not in _RETRY_CODES

    @property
    def is_success(self) -> bool:
        return self.status < 300


@dataclass(slots=True)
class Operation:
    """A request of a client, and all its responses. Its name is its idempotency key, and the note of its check.

    kinds: topup, create, accept, cancel, code, login, read; and pay, decline and abort for a visit to a payment page,
    which has a ``transaction`` and an ``outcome`` instead of responses.
    """

    name: str
    kind: str
    #: The id of the user.
    user: str
    path: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    transaction: str = ""
    outcome: str = "unknown"
    responses: list[Response] = field(default_factory=list)

    @property
    def final(self) -> list[Response]:
        """Return the final responses. Each after the first answers a repetition."""
        return [response for response in self.responses if response.is_final]

    @property
    def is_unknown(self) -> bool:
        """Return whether the client does not know if the operation has happened."""
        return not self.final

    @property
    def success(self) -> Response | None:
        return next((response for response in self.responses if response.is_success and response.is_final), None)

    @property
    def code(self) -> str:
        """Return the error code of the first final response, or an empty string."""
        return self.final[0].code if self.final else ""

    @property
    def number(self) -> str:
        """Return the number of its check as twelve digits, or an empty string."""
        parts = self.path.split("/")
        told = self.success.body.get("fastcheck") if self.success else None
        return str(self.body.get("fastcheck") or told or (parts[2] if len(parts) > 3 else "")).replace("-", "")


@dataclass(slots=True)
class Record:
    """Everything that the clients of one run know."""

    #: The ids of all users that act.
    users: set[str] = field(default_factory=set)
    operations: dict[str, Operation] = field(default_factory=dict)
    #: The last balance that each user read while nothing changed.
    balances: dict[str, int] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Operation]:
        return [operation for operation in self.operations.values() if operation.kind in kinds]

    def write(self, path: Path) -> None:
        """Write one line of JSON per operation."""
        lines = (json.dumps(asdict(operation), ensure_ascii=False) for operation in self.operations.values())
        path.write_text("\n".join(lines))

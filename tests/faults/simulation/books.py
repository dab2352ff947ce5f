"""The books as rows, read by the checker's own SQL: nothing of the services is asked for its opinion."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.fernet import Fernet

#: How a token of Fernet begins. What follows is never twice the same.
_TOKEN: Final = b"gAAAA"

#: Reads all rows of a query from the database of a service.
Reader = Callable[[str, str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Transfer:
    transfer_id: str
    kind: str
    outcome: str
    subject: str
    user: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Entry:
    """``balance_after`` is None on the accounts of the system."""

    number: int
    transfer_id: str
    account: str
    amount: int
    currency: str
    balance_after: int | None


@dataclass(frozen=True, slots=True)
class Account:
    account: str
    kind: str
    user: str | None
    balance: int | None


@dataclass(frozen=True, slots=True)
class Check:
    check_id: str
    number: str
    creator: str
    acceptor: str | None
    amount: int
    status: str
    expires_at: datetime
    sealed_code: memoryview


@dataclass(frozen=True, slots=True)
class TopUp:
    topup_id: str
    user: str
    amount: int
    status: str


@dataclass(frozen=True, slots=True)
class Books:
    """Everything, at a moment when nothing moves."""

    transfers: list[Transfer]
    entries: list[Entry]
    accounts: list[Account]
    checks: list[Check]
    topups: list[TopUp]
    #: Bank's payment id -> id of the top-up that it was made for.
    payments: dict[str, str]
    open_events: list[str]
    dead_letters: list[str]


_TRANSFERS: Final = (
    "SELECT transfer_id::text, kind, outcome, subject_id::text, user_id::text, amount_minor, currency FROM transfers"
)
_ENTRIES: Final = """
    SELECT entry_id, transfer_id::text, account_id::text, amount_minor, currency, balance_after
      FROM entries ORDER BY entry_id
"""
_ACCOUNTS: Final = "SELECT account_id::text, kind, user_id::text, balance_minor FROM accounts"
_CHECKS: Final = """
    SELECT check_id::text, number, creator_id::text, acceptor_id::text, amount_minor, status, expires_at,
           code_ciphertext FROM checks
"""
_TOPUPS: Final = "SELECT topup_id::text, user_id::text, amount_minor, status FROM topups"
_PAYMENTS: Final = "SELECT bank_payment_id, topup_id::text FROM attempts WHERE bank_payment_id IS NOT NULL"
_OPEN: Final = "SELECT type || ' ' || payload::text FROM outbox WHERE closed_at IS NULL"
_DEAD: Final = "SELECT error FROM dead_letters WHERE resolved_at IS NULL"


def read(rows: Reader) -> Books:
    """Read all of it."""
    return Books(
        transfers=[Transfer(*row) for row in rows("balance", _TRANSFERS)],
        entries=[Entry(*row) for row in rows("balance", _ENTRIES)],
        accounts=[Account(*row) for row in rows("balance", _ACCOUNTS)],
        checks=[Check(*row) for row in rows("checks", _CHECKS)],
        topups=[TopUp(*row) for row in rows("payments", _TOPUPS)],
        payments=dict(rows("payments", _PAYMENTS)),
        open_events=[row[0] for service in ("checks", "payments") for row in rows(service, _OPEN)],
        dead_letters=[row[0] for row in rows("balance", _DEAD)],
    )


def unsealed(fernet: Fernet, stored: bytes) -> bytes:
    """What a column holds, in plain where it is sealed: Fernet's token, and before it the name of its key."""
    name, token, rest = stored.partition(_TOKEN)
    return name + fernet.decrypt(token + rest) if token else name

"""The books: the rows of all databases, read with SQL of its own. No code of the services takes part."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.fernet import Fernet

#: The first bytes of every Fernet token. The rest differs each time.
_TOKEN: Final = b"gAAAA"

_CHARGED: Final = frozenset({"CONFIRMED", "PARTIAL_REFUNDED", "REFUNDED"})

#: ``rows(service, query)`` returns all rows of a query from the database of a service.
Rows = Callable[[str, str], list[tuple[Any, ...]]]


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
    """``balance_after`` is None on system accounts."""

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
    currency: str


@dataclass(frozen=True, slots=True)
class Check:
    check_id: str
    number: str
    creator: str
    acceptor: str | None
    amount: int
    note: str | None
    status: str
    expires_at: datetime
    sealed_code: bytes | memoryview


@dataclass(frozen=True, slots=True)
class TopUp:
    topup_id: str
    user: str
    amount: int
    status: str
    refunded: int


@dataclass(frozen=True, slots=True)
class Order:
    """An attempt to pay a top-up at a bank."""

    order_id: str
    topup_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Refund:
    refund_id: str
    topup_id: str
    amount: int
    status: str
    was_credited: bool
    is_finished: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event in the outbox of its publisher. ``subject`` is the check or the top-up that it reports."""

    event_id: str
    type: str
    subject: str
    created_at: datetime
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Books:
    """One reading of all databases."""

    at: datetime
    transfers: list[Transfer]
    entries: list[Entry]
    accounts: list[Account]
    checks: list[Check]
    #: Operation, user and status of each idempotency key of checks.
    keys: list[tuple[Any, ...]]
    topups: list[TopUp]
    orders: dict[str, Order]
    refunds: dict[str, Refund]
    #: All events that were published, by id.
    outbox: dict[str, Event]
    #: Id and type of each event that balance has neither processed nor parked.
    unprocessed: list[tuple[str, str]]
    #: Type and error of each parked event.
    parked: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class BankPayment:
    """A payment at the sandbox bank, in kopecks. ``returned`` is the sum of ``refunds``."""

    order_id: str
    state: str
    amount: int
    returned: int
    refunds: list[int] | None

    @property
    def taken(self) -> int:
        """Return what was charged to the card."""
        return self.amount if self.state in _CHARGED else 0


_NOW: Final = "SELECT clock_timestamp()"
_TRANSFERS: Final = (
    "SELECT transfer_id::text, kind, outcome, subject_id::text, user_id::text, amount_minor, currency FROM transfers"
)
_ENTRIES: Final = """
    SELECT entry_id, transfer_id::text, account_id::text, amount_minor, currency, balance_after
      FROM entries ORDER BY entry_id
"""
_ACCOUNTS: Final = "SELECT account_id::text, kind, user_id::text, balance_minor, currency FROM accounts"
_CHECKS: Final = """
    SELECT check_id::text, number, creator_id::text, acceptor_id::text, amount_minor, note, status, expires_at,
           code_ciphertext
      FROM checks
"""
_KEYS: Final = "SELECT operation, user_id::text, status FROM idempotency_keys"
_TOPUPS: Final = "SELECT topup_id::text, user_id::text, amount_minor, status, refunded_minor FROM topups"
_ORDERS: Final = "SELECT bank_order_id, topup_id::text, state FROM attempts"
_REFUNDS: Final = """
    SELECT refund_id::text, topup_id::text, amount_minor, status, was_credited, finished_at IS NOT NULL FROM refunds
"""
_OUTBOX: Final = """
    SELECT event_id::text, type, COALESCE(payload ->> 'check_id', payload ->> 'topup_id'), created_at,
           closed_at IS NOT NULL
      FROM outbox
"""
_UNPROCESSED: Final = "SELECT event_id::text, type FROM inbox WHERE processed_at IS NULL AND parked_at IS NULL"
_PARKED: Final = """
    SELECT type, error FROM dead_letters LEFT JOIN inbox USING (event_id) WHERE resolved_at IS NULL
"""
_BANK_PAYMENTS: Final = """
    SELECT order_id, state, amount_minor, refunded_minor,
           (SELECT array_agg(r.amount_minor ORDER BY r.refund_no) FROM refunds r WHERE r.payment_no = p.payment_no)
      FROM payments p
"""


def read(rows: Rows) -> Books:
    """Read the books of balance, checks and payments."""
    return Books(
        at=rows("checks", _NOW)[0][0],
        transfers=[Transfer(*row) for row in rows("balance", _TRANSFERS)],
        entries=[Entry(*row) for row in rows("balance", _ENTRIES)],
        accounts=[Account(*row) for row in rows("balance", _ACCOUNTS)],
        checks=[Check(*row) for row in rows("checks", _CHECKS)],
        keys=rows("checks", _KEYS),
        topups=[TopUp(*row) for row in rows("payments", _TOPUPS)],
        orders={row[0]: Order(*row) for row in rows("payments", _ORDERS)},
        refunds={row[0]: Refund(*row) for row in rows("payments", _REFUNDS)},
        outbox={row[0]: Event(*row) for service in ("checks", "payments") for row in rows(service, _OUTBOX)},
        unprocessed=[(row[0], row[1]) for row in rows("balance", _UNPROCESSED)],
        parked=rows("balance", _PARKED),
    )


def read_bank(rows: Rows) -> list[BankPayment]:
    """Read the payments of the sandbox bank."""
    return [BankPayment(*row) for row in rows("sandbox_bank", _BANK_PAYMENTS)]


def unsealed(fernet: Fernet, stored: bytes) -> bytes:
    """Return a column in plain text. A sealed value is a Fernet token after the id of its key."""
    key_id, token, rest = stored.partition(_TOKEN)
    return key_id + fernet.decrypt(token + rest) if token else key_id

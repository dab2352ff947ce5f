"""All books of the databases, read as an administrator with SQL of the checker's own."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.faults.chaos.databases import Databases


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


@dataclass(frozen=True, slots=True)
class TopUp:
    topup_id: str
    user: str
    amount: int
    status: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment at the bank and the top-up of its order, None for an unknown order."""

    order_id: str
    topup_id: str | None
    amount: int


@dataclass(frozen=True, slots=True)
class Transfer:
    transfer_id: str
    kind: str
    posted: bool
    subject: str
    user: str
    amount: int


@dataclass(frozen=True, slots=True)
class Entry:
    entry_id: int
    transfer_id: str
    account_id: str
    amount: int
    balance_after: int | None


@dataclass(frozen=True, slots=True)
class Account:
    account_id: str
    kind: str
    user: str | None
    balance: int | None


@dataclass(slots=True)
class Books:
    """All books at one time; read them only when nothing changes."""

    users: set[str] = field(default_factory=set)
    checks: list[Check] = field(default_factory=list)
    topups: list[TopUp] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    #: By check: the time at which the sweep expired it.
    expired_at: dict[str, datetime] = field(default_factory=dict)
    open_events: list[str] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    unprocessed: list[str] = field(default_factory=list)

    def posted(self) -> dict[str, list[Transfer]]:
        """Return the posted transfers by subject."""
        found: dict[str, list[Transfer]] = defaultdict(list)
        for transfer in self.transfers:
            if transfer.posted:
                found[transfer.subject].append(transfer)
        return found


_CHECKS = """
    SELECT check_id::text, replace(number, '-', ''), creator_id::text, acceptor_id::text, amount_minor, note, status,
           expires_at
      FROM checks ORDER BY created_at
"""
_EXPIRED_AT = "SELECT payload ->> 'check_id', created_at FROM outbox WHERE type = 'check.expired.v1'"
_OPEN = "SELECT event_id::text FROM outbox WHERE closed_at IS NULL"
_PAYMENTS = "SELECT order_id, amount_minor FROM payments WHERE state = 'CONFIRMED'"
_ORDERS = "SELECT bank_order_id, topup_id::text FROM attempts"
_TOPUPS = "SELECT topup_id::text, user_id::text, amount_minor, status FROM topups"
_TRANSFERS = """
    SELECT transfer_id::text, kind, outcome = 'posted', subject_id::text, user_id::text, amount_minor FROM transfers
"""
_ENTRIES = """
    SELECT entry_id, transfer_id::text, account_id::text, amount_minor, balance_after FROM entries ORDER BY entry_id
"""
_ACCOUNTS = "SELECT account_id::text, kind, user_id::text, balance_minor FROM accounts WHERE currency = 'RUB'"
_DEAD = "SELECT event_id::text FROM dead_letters"
_UNPROCESSED = "SELECT event_id::text FROM inbox WHERE processed_at IS NULL"


def read_books(databases: Databases) -> Books:
    """Read all books; raise psycopg2.Error."""

    def read(kind: Any, name: str, sql: str) -> list[Any]:
        return [kind(*row) for row in databases.rows(name, sql)]

    orders: dict[str, str] = dict(databases.rows("payments", _ORDERS))
    return Books(
        users=databases.ids("accounts", "SELECT user_id FROM users"),
        checks=read(Check, "checks", _CHECKS),
        topups=read(TopUp, "payments", _TOPUPS),
        paid=[Paid(order, orders.get(order), amount) for order, amount in databases.rows("sandbox_bank", _PAYMENTS)],
        transfers=read(Transfer, "balance", _TRANSFERS),
        entries=read(Entry, "balance", _ENTRIES),
        accounts=read(Account, "balance", _ACCOUNTS),
        expired_at=dict(databases.rows("checks", _EXPIRED_AT)),
        open_events=[*databases.ids("checks", _OPEN), *databases.ids("payments", _OPEN)],
        dead_letters=sorted(databases.ids("balance", _DEAD)),
        unprocessed=sorted(databases.ids("balance", _UNPROCESSED)),
    )

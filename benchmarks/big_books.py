"""Books of any size, consistent in all databases, written by COPY: what the auditor is measured on.

The same lives that the services lead, without the services: users top up, write checks, and the checks are used,
expire, are cancelled or stay active.
"""

import csv
import io
import random
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg2

from common.core.ids import derived_id

ROWS_AT_ONCE: Final = 50_000
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
CHECK_AMOUNT: Final = 15_000
TOPUP_AMOUNT: Final = 100_000
BANK: Final = derived_id("account", "bank", "RUB")
ESCROW: Final = derived_id("account", "escrow", "RUB")

#: Table -> the columns that are written.
TABLES: Final[Mapping[str, str]] = {
    "balance.transfers": "transfer_no,transfer_id,kind,outcome,subject_id,user_id,closes_id,amount_minor,currency,"
    "reference,created_at",
    "balance.entries": "entry_id,transfer_id,account_id,amount_minor,currency,balance_after,created_at",
    "balance.accounts": "account_id,kind,user_id,currency,balance_minor",
    "checks.checks": "check_id,number,creator_id,acceptor_id,amount_minor,currency,code_ciphertext,status,created_at,"
    "expires_at,closes_at",
    "payments.topups": "topup_id,user_id,bank,amount_minor,currency,status,return_url,created_at,expires_at,"
    "confirmed_at",
    "payments.attempts": "bank,bank_order_id,topup_id,attempt_no,state,bank_payment_id,payment_url",
    "payments.notifications": "bank,source,bank_payment_id,bank_status,bank_order_id,amount_minor,currency,topup_id,"
    "verdict",
    "sandbox_bank.payments": "protocol,public_id,order_id,amount_minor,currency,state,success_url,fail_url,page_key,"
    "expires_at",
}

#: The chain of the ledger is not led on while its past is being written (see ``services/balance/chain_repository``).
CHAIN_LOCK_ID: Final = 7_205_119


@dataclass
class _Writer:
    """Gathers rows of one table and copies them in batches."""

    connection: Any
    table: str
    columns: str
    rows: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, *row: object) -> None:
        self.rows.append(row)
        if len(self.rows) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(self.rows)
        text.seek(0)
        with self.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {self.table} ({self.columns}) FROM STDIN (FORMAT csv)", text)
        self.rows.clear()


class Books:
    """Writes the books of ``users`` people."""

    def __init__(self, writers: Mapping[str, _Writer], users: int, seed: int) -> None:
        self._write = writers
        self._random = random.Random(seed)
        self._users = [UUID(int=self._random.getrandbits(128), version=4) for _ in range(users)]
        self._accounts = {user: derived_id("account", user, "RUB") for user in self._users}
        self._balances = dict.fromkeys(self._users, 0)
        self._now = START
        self.transfers = 0

    def fill(self, entries: int) -> None:
        """Go on until there are so many entries."""
        for user in self._users:
            self._top_up(user)
        while 2 * self.transfers < entries:
            user = self._random.choice(self._users)
            if self._balances[user] < CHECK_AMOUNT:
                self._top_up(user)
            else:
                self._live_through_a_check(user)
        for user, balance in self._balances.items():
            self._write["balance.accounts"].add(self._accounts[user], "user", user, "RUB", balance)

    def _id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def _post(
        self, kind: str, subject: UUID, user: UUID, signed: int, *, reference: str, closes: UUID | None = None
    ) -> None:
        self.transfers += 1
        self._now += timedelta(milliseconds=3)
        self._balances[user] += signed
        transfer_id = derived_id(kind, subject)
        counter = BANK if kind == "topup" else ESCROW
        self._write["balance.transfers"].add(
            self.transfers, transfer_id, kind, "posted", subject, user, closes, abs(signed), "RUB", reference, self._now
        )
        first = 2 * self.transfers - 1
        self._write["balance.entries"].add(
            first, transfer_id, self._accounts[user], signed, "RUB", self._balances[user], self._now
        )
        self._write["balance.entries"].add(first + 1, transfer_id, counter, -signed, "RUB", None, self._now)

    def _top_up(self, user: UUID) -> None:
        topup = self._id()
        self._post("topup", topup, user, TOPUP_AMOUNT, reference=str(topup))
        at, later = self._now, self._now + timedelta(hours=1)
        payment = f"P{self.transfers}"
        self._write["payments.topups"].add(
            topup, user, "tbank", TOPUP_AMOUNT, "RUB", "confirmed", "http://x", at, later, at
        )
        self._write["payments.attempts"].add("tbank", topup.hex, topup, 1, "paid", payment, "http://x")
        self._write["payments.notifications"].add(
            "tbank", "webhook", payment, "CONFIRMED", topup.hex, TOPUP_AMOUNT, "RUB", topup, "applied"
        )
        if "sandbox_bank.payments" in self._write:
            self._write["sandbox_bank.payments"].add(
                "tbank", payment, topup.hex, TOPUP_AMOUNT, "RUB", "CONFIRMED", "http://x", "http://x", payment, later
            )

    def _live_through_a_check(self, creator: UUID) -> None:
        check = self._id()
        number = f"{self.transfers:012d}"
        shown = f"{number[:4]}-{number[4:8]}-{number[8:]}"
        self._post("check_created", check, creator, -CHECK_AMOUNT, reference=shown)
        created, expires = self._now, self._now + timedelta(days=7)
        fate = self._random.choices(("used", "expired", "cancelled", "active"), (70, 15, 10, 5))[0]
        acceptor = self._random.choice(self._users) if fate == "used" else None
        if fate != "active":
            kind = "check_accepted" if acceptor else f"check_{fate}"
            self._post(
                kind,
                check,
                acceptor or creator,
                CHECK_AMOUNT,
                reference=shown,
                closes=derived_id("check_created", check),
            )
        closes = self._now if fate in ("used", "cancelled") else expires
        self._write["checks.checks"].add(
            check, number, creator, acceptor, CHECK_AMOUNT, "RUB", "\\x00", fate, created, expires, closes
        )


@contextmanager
def _writers(urls: Mapping[str, str]) -> Iterator[dict[str, _Writer]]:
    connections = {service: psycopg2.connect(url) for service, url in urls.items()}
    writers = {
        name: _Writer(connections[name.split(".")[0]], name.split(".")[1], columns)
        for name, columns in TABLES.items()
        if name.split(".")[0] in urls
    }
    for connection in connections.values():
        connection.autocommit = True
        with connection.cursor() as cursor:
            # The rules would look at every row again, one after the other; the audit does that below, all at once.
            cursor.execute("SET session_replication_role = replica")
    yield writers
    for writer in writers.values():
        writer.flush()
    for connection in connections.values():
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        connection.close()


def write(urls: Mapping[str, str], *, entries: int, users: int, seed: int = 1) -> int:
    """Fill empty, migrated databases (superuser's URLs by service); returns the number of transfers.

    A system may run on them, as long as nobody uses it.
    """
    connection = psycopg2.connect(urls["balance"])
    connection.autocommit = True  # the lock is held for minutes, which no transaction may be
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (CHAIN_LOCK_ID,))
        with _writers(urls) as writers:
            books = Books(writers, users, seed)
            books.fill(entries)
        cursor.execute("SELECT setval('transfers_transfer_no_seq', %s)", (books.transfers,))
        cursor.execute("SELECT setval('entries_entry_id_seq', %s)", (2 * books.transfers,))
    return books.transfers

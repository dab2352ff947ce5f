"""Generator of books of any size, consistent in all databases, for measurements of the system and its auditor.

It writes the rows that the services would write: users top up and create checks, which later are used, expire or are
cancelled; the last ones stay active. Each process writes a separate part of the users, so that no two processes change
one balance. A process holds its users and open checks in memory.
"""

import multiprocessing
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography.fernet import Fernet

from auditor.digest import derived_hex
from benchmarks.bulk import Lines, connected, finish, suspend_indexes

PROCESSES: Final = 2
CHECK_AMOUNT: Final = 15_000
TOPUP_AMOUNT: Final = 100_000
BANK: Final = derived_hex("account", "bank", "RUB")
ESCROW: Final = derived_hex("account", "escrow", "RUB")
CHECKS_PER_USER: Final = 25
#: The busiest user creates and accepts one check in this many: the lists and the statement grow with the books.
BUSIEST_ONE_IN: Final = 100
#: One check in twenty is open, up to this number per process.
OPEN_ONE_IN: Final = 20
MOST_OPEN: Final = 50_000
#: The period of all operations, which ends now. Open checks expire some time after it.
SPAN: Final = timedelta(days=300)
STILL_OPEN: Final = timedelta(days=30)
WEEK: Final = timedelta(days=7)
#: Transfers per check, about: its hold, its end, and sometimes a top-up.
TRANSFERS_PER_CHECK: Final = 2.1
#: Has the length of a real ciphertext.
CODE: Final = "g" * 140

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
SERVICES: Final = ("balance", "checks", "payments", "sandbox_bank")


@dataclass(slots=True)
class _User:
    user_id: str
    account_id: str
    balance: int = 0


@dataclass(frozen=True, slots=True)
class _Check:
    check_id: str
    number: str
    creator: _User
    hold_id: str
    created: str

    @property
    def shown(self) -> str:
        return f"{self.number[:4]}-{self.number[4:8]}-{self.number[8:]}"


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the books that one process writes: the ``number``-th of ``of`` parts."""

    number: int
    of: int
    checks: int
    known: tuple[UUID, ...]
    code_key: str
    seed: int


class Books:
    """Writes one part of the books."""

    def __init__(self, lines: Mapping[str, Lines], part: Part) -> None:
        self._lines = lines
        self._part = part
        self._random = random.Random(part.seed * 1_000 + part.number)
        ids = [str(user) for user in part.known]
        ids += [self._id() for _ in range(max(5, part.checks // CHECKS_PER_USER) - len(ids))]
        self._users = [_User(user, derived_hex("account", user, "RUB")) for user in ids]
        self._open: deque[_Check] = deque()
        self._ends_at = datetime.now(UTC)
        self._now = self._ends_at - SPAN
        self._step = SPAN / (TRANSFERS_PER_CHECK * part.checks + len(self._users))
        self._transfers = 0

    def fill(self) -> int:
        """Write all operations; return the highest transfer number."""
        for user in self._users:
            self._top_up(user)
        most_open = min(self._part.checks // OPEN_ONE_IN, MOST_OPEN)
        for _ in range(self._part.checks):
            creator = self._random_user()
            if creator.balance < CHECK_AMOUNT:
                self._top_up(creator)
            self._open.append(self._hold(creator))
            if len(self._open) > most_open:
                self._end(self._open.popleft())
        fernet = Fernet(self._part.code_key)
        for check in self._open:
            # Only the codes of active checks are ever decrypted.
            code = fernet.encrypt(UUID(check.check_id).bytes + b"0000").decode()
            self._write_check(check, "active", None, str(self._ends_at + STILL_OPEN), code)
        for user in self._users:
            self._lines["balance.accounts"].add(f"{user.account_id}\tuser\t{user.user_id}\tRUB\t{user.balance}")
        return self._number()

    def _random_user(self) -> _User:
        if self._random.random() < 1 / BUSIEST_ONE_IN:
            return self._users[0]
        return self._users[int(self._random.random() * len(self._users))]

    def _id(self) -> str:
        digits = f"{self._random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def _number(self) -> int:
        """Return the number of the newest transfer. Numbers of the processes alternate, as from a shared sequence."""
        return self._part.of * (self._transfers - 1) + self._part.number + 1

    def _post(
        self, kind: str, subject: str, user: _User, signed: int, *, reference: str, closes: str = r"\N"
    ) -> tuple[str, str]:
        """Write a transfer with its entries; return its id and its time."""
        self._transfers += 1
        self._now += self._step
        user.balance += signed
        number, at, transfer_id = self._number(), str(self._now), derived_hex(kind, subject)
        counter = BANK if kind == "topup" else ESCROW
        self._lines["balance.transfers"].add(
            f"{number}\t{transfer_id}\t{kind}\tposted\t{subject}\t{user.user_id}\t{closes}\t{abs(signed)}\tRUB"
            f"\t{reference}\t{at}"
        )
        entries = self._lines["balance.entries"]
        entries.add(
            f"{2 * number - 1}\t{transfer_id}\t{user.account_id}\t{signed}\tRUB\t{user.balance}\t{at}",
        )
        entries.add(f"{2 * number}\t{transfer_id}\t{counter}\t{-signed}\tRUB\t\\N\t{at}")
        return transfer_id, at

    def _top_up(self, user: _User) -> None:
        topup = self._id()
        _, at = self._post("topup", topup, user, TOPUP_AMOUNT, reference=topup)
        order, payment, later = topup.replace("-", ""), f"P{self._number()}", str(self._now + WEEK)
        self._lines["payments.topups"].add(
            f"{topup}\t{user.user_id}\ttbank\t{TOPUP_AMOUNT}\tRUB\tconfirmed\thttp://x\t{at}\t{later}\t{at}"
        )
        self._lines["payments.attempts"].add(f"tbank\t{order}\t{topup}\t1\tpaid\t{payment}\thttp://x")
        self._lines["payments.notifications"].add(
            f"tbank\twebhook\t{payment}\tCONFIRMED\t{order}\t{TOPUP_AMOUNT}\tRUB\t{topup}\tapplied"
        )
        self._lines["sandbox_bank.payments"].add(
            f"tbank\t{payment}\t{order}\t{TOPUP_AMOUNT}\tRUB\tCONFIRMED\thttp://x\thttp://x\t{payment}\t{later}"
        )

    def _hold(self, creator: _User) -> _Check:
        check_id = self._id()
        # Distinct numbers in pseudo-random order: the factor is coprime to 10.
        number = f"{(self._part.of * self._transfers + self._part.number) * 387_420_489_001 % 10**12:012d}"
        shown = f"{number[:4]}-{number[4:8]}-{number[8:]}"
        hold_id, at = self._post("check_created", check_id, creator, -CHECK_AMOUNT, reference=shown)
        return _Check(check_id, number, creator, hold_id, at)

    def _end(self, check: _Check) -> None:
        ending = self._random.choices(("used", "expired", "cancelled"), (74, 15, 11))[0]
        user = self._random_user() if ending == "used" else check.creator
        kind = "check_accepted" if ending == "used" else f"check_{ending}"
        _, at = self._post(kind, check.check_id, user, CHECK_AMOUNT, reference=check.shown, closes=check.hold_id)
        self._write_check(check, ending, user if ending == "used" else None, at)

    def _write_check(self, check: _Check, status: str, acceptor: _User | None, closes: str, code: str = CODE) -> None:
        expires = closes if status in ("expired", "active") else str(self._now + WEEK)
        accepted_by = acceptor.user_id if acceptor else r"\N"
        self._lines["checks.checks"].add(
            f"{check.check_id}\t{check.number}\t{check.creator.user_id}\t{accepted_by}\t{CHECK_AMOUNT}\tRUB\t{code}"
            f"\t{status}\t{check.created}\t{expires}\t{closes}"
        )


@contextmanager
def _lines(urls: Mapping[str, str]) -> Iterator[dict[str, Lines]]:
    with ExitStack() as stack:
        connections = {service: stack.enter_context(connected(url)) for service, url in urls.items()}
        lines = {}
        for name, columns in TABLES.items():
            service, table = name.split(".")
            lines[name] = Lines(connections[service], table, columns)
        yield lines
        for table_lines in lines.values():
            table_lines.flush()


def _write_part(urls: Mapping[str, str], part: Part) -> int:
    with _lines(urls) as lines:
        return Books(lines, part).fill()


def _finish(service: str, url: str) -> None:
    with connected(url) as connection:
        finish(connection, _tables(service))


def _tables(service: str) -> list[str]:
    return [table for owner, table in (name.split(".") for name in TABLES) if owner == service]


def write(urls: Mapping[str, str], *, checks: int, known: Sequence[UUID], code_key: str, seed: int = 1) -> None:
    """Fill empty, migrated databases without other connections; ``urls`` are a superuser's, by service.

    ``known`` are existing users, the first two of them the busiest; ``code_key`` encrypts codes. Raises psycopg2.Error
    if a unique index is violated.
    """
    parts = [
        Part(number, PROCESSES, checks // PROCESSES, tuple(known[number::PROCESSES]), code_key, seed)
        for number in range(PROCESSES)
    ]
    for service, url in urls.items():
        with connected(url) as connection:
            suspend_indexes(connection, _tables(service))
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("fork")) as pool:
        last = max(pool.map(_write_part, [urls] * PROCESSES, parts))
    with ThreadPoolExecutor() as threads:
        list(threads.map(_finish, urls.keys(), urls.values()))
    with connected(urls["balance"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT setval('transfers_transfer_no_seq', %s)", (last,))
        cursor.execute("SELECT setval('entries_entry_id_seq', %s)", (2 * last,))

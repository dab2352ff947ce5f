"""Consistent books and journals of two users, for tests of the checker to damage."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.faults.chaos.books import Account, Books, Check, Entry, Paid, TopUp, Transfer
from tests.faults.chaos.record import Record, read_record

ALICE: Final = "user-alice"
BOB: Final = "user-bob"
BANK: Final = "account-bank"
ESCROW: Final = "account-escrow"
NOON: Final = datetime(2026, 1, 19, 12, tzinfo=UTC)


class SampleBooks:
    """Performs each operation in the books and in the journals."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.books = Books(users={ALICE, BOB})
        self._balances = {ALICE: 0, BOB: 0}
        for who, user in (("a", ALICE), ("b", BOB)):
            self._line(who, "user", user=user)
        self._perform()
        self.books.accounts = [
            Account(BANK, "bank", None, None),
            Account(ESCROW, "escrow", None, None),
            *(Account(f"account-{user}", "user", user, balance) for user, balance in self._balances.items()),
        ]
        for user, balance in self._balances.items():
            self._line("balances", "balance_read", user=user, balance=balance)

    def record(self) -> Record:
        return read_record(self.lines)

    def _perform(self) -> None:
        self._top_up("a-1", ALICE, 100_000, paid=True)
        self._top_up("a-2", ALICE, 100_001, paid=False)
        for number, status in enumerate(("active", "used", "cancelled", "expired", "rejected"), start=1):
            self._check(f"a-{status}", f"{number:012d}", status)

    def _top_up(self, operation: str, user: str, amount: int, *, paid: bool) -> None:
        topup_id = f"topup-{operation}"
        self._request("a", operation, "top up", "/topup", {"amount": amount})
        response = {"transactionID": topup_id, "amount": amount, "paymentUrl": f"http://bank/{operation}"}
        self._respond("a", operation, "top up", 201, response)
        self.books.topups.append(TopUp(topup_id, user, amount, "confirmed" if paid else "failed"))
        visit = f"{operation}-visit"
        kind = "pay" if paid else "decline"
        self._line("a", "request", operation=visit, kind=kind, transaction=topup_id)
        self._line("a", "end", operation=visit, kind=kind, outcome="done")
        if paid:
            self.books.paid.append(Paid(f"order-{operation}", topup_id, amount))
            self._move("topup", topup_id, user, amount, BANK)

    def _check(self, operation: str, number: str, status: str) -> None:
        amount, check_id = 1_000, f"check-{status}"
        body = {"amount": amount, "note": operation}
        self._request("a", operation, "create", "/fastcheck", body)
        acceptor = BOB if status == "used" else None
        expires_at = NOON if status == "expired" else NOON + timedelta(days=7)
        self.books.checks.append(Check(check_id, number, ALICE, acceptor, amount, operation, status, expires_at))
        if status == "rejected":
            self._respond("a", operation, "create", 409, {"code": "insufficient_funds"})
            return
        told = {"fastcheck": number, "code": "1234", "amount": amount, "note": operation}
        self._respond("a", operation, "create", 201, told)
        self._move("check_created", check_id, ALICE, -amount, ESCROW)
        if status == "used":
            self._request("b", "b-accept", "accept", "/fastcheck/accept", {"fastcheck": number, "code": "1234"})
            self._respond("b", "b-accept", "accept", 200, {"fastcheck": number, "amount": amount})
            self._move("check_accepted", check_id, BOB, amount, ESCROW)
        elif status == "cancelled":
            self._request("a", "a-cancel", "cancel", f"/fastcheck/{number}/cancel", None)
            self._respond("a", "a-cancel", "cancel", 200, {"fastcheck": number, "status": "cancelled"})
            self._move("check_cancelled", check_id, ALICE, amount, ESCROW)
        elif status == "expired":
            self.books.expired_at[check_id] = NOON + timedelta(seconds=1)
            self._move("check_expired", check_id, ALICE, amount, ESCROW)

    def _move(self, kind: str, subject: str, user: str, amount: int, other: str) -> None:
        transfer_id = f"{kind}-{subject}"
        self._balances[user] += amount
        self.books.transfers.append(Transfer(transfer_id, kind, True, subject, user, abs(amount)))
        entries = self.books.entries
        entries.append(Entry(len(entries), transfer_id, f"account-{user}", amount, self._balances[user]))
        entries.append(Entry(len(entries), transfer_id, other, -amount, None))

    def _request(self, who: str, operation: str, kind: str, path: str, body: dict[str, Any] | None) -> None:
        self._line(who, "request", operation=operation, kind=kind, path=path, body=body)

    def _respond(self, who: str, operation: str, kind: str, status: int, body: dict[str, Any]) -> None:
        self._line(who, "response", operation=operation, kind=kind, status=status, body=body, decides=True)
        self._line(who, "end", operation=operation, kind=kind, outcome=str(status))

    def _line(self, who: str, event: str, **fields: Any) -> None:
        self.lines.append({"who": who, "event": event, **fields})

    def change_check(self, having: str, **fields: Any) -> None:
        """Change the check of this status in the books alone."""
        self.books.checks = [replace(c, **fields) if c.status == having else c for c in self.books.checks]

    def drop_line(self, is_dropped: Callable[[dict[str, Any]], bool]) -> None:
        """Remove lines from the journals."""
        self.lines = [line for line in self.lines if not is_dropped(line)]

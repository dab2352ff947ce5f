"""Consistent books and records of two users, for tests of the checkers to damage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.faults.books import Account, BankPayment, Books, Check, Entry, Event, Order, TopUp, Transfer
from tests.faults.record import Operation, Record, Response

ALICE: Final = "user-alice"
BOB: Final = "user-bob"
BANK: Final = "account-bank"
ESCROW: Final = "account-escrow"
NOON: Final = datetime(2026, 1, 19, 12, tzinfo=UTC)
CODE: Final = "1234"
_EVENTS: Final = {"used": "check.accepted.v1", "expired": "check.expired.v1", "cancelled": "check.cancelled.v1"}


class SampleBooks:
    """Performs each operation in the books and in the record."""

    def __init__(self) -> None:
        self.record = Record({ALICE, BOB})
        self.books = Books(NOON, [], [], [], [], [], [], {}, {}, {}, [], [])
        self.bank: list[BankPayment] = []
        self._balances = {ALICE: 0, BOB: 0}
        self._top_up("a-1", ALICE, 100_000, paid=True)
        self._top_up("a-2", ALICE, 100_001, paid=False)
        for number, status in enumerate(("active", "used", "cancelled", "expired", "rejected"), start=1):
            self._check(f"a-{status}", f"{number:012d}", status)
        self.books.accounts[:] = [
            Account(BANK, "bank", None, None, "RUB"),
            Account(ESCROW, "escrow", None, None, "RUB"),
            *(Account(f"account-{user}", "user", user, balance, "RUB") for user, balance in self._balances.items()),
        ]
        self.record.balances = dict(self._balances)

    def operation(self, name: str) -> Operation:
        return self.record.operations[name]

    def change_check(self, having: str, **fields: Any) -> None:
        """Change the check of this status in the books alone."""
        self.books.checks[:] = [replace(c, **fields) if c.status == having else c for c in self.books.checks]

    def _top_up(self, name: str, user: str, amount: int, *, paid: bool) -> None:
        topup_id, order_id = f"topup-{name}", f"order-{name}"
        body = {"transactionID": topup_id, "amount": amount, "paymentUrl": f"http://bank/{name}"}
        self._add(Operation(name, "topup", user, "/topup", {"amount": amount}), Response(201, body))
        kind = "pay" if paid else "decline"
        visit = Operation(f"{name}-visit", kind, user, transaction=topup_id, outcome="done")
        self.record.operations[visit.name] = visit
        self.books.topups.append(TopUp(topup_id, user, amount, "confirmed" if paid else "failed", 0))
        self.books.orders[order_id] = Order(order_id, topup_id, "paid" if paid else "failed")
        self.bank.append(BankPayment(order_id, "CONFIRMED" if paid else "REJECTED", amount, 0, None))
        if paid:
            self._publish("payment.confirmed.v1", topup_id)
            self._move("topup", topup_id, user, amount, BANK)

    def _check(self, name: str, number: str, status: str) -> None:
        amount, check_id = 1_000, f"check-{status}"
        expires_at = NOON if status == "expired" else NOON + timedelta(days=7)
        told = {"fastcheck": number, "code": CODE, "amount": amount, "expiration": expires_at.isoformat()}
        response = Response(409, {"code": "insufficient_funds"}) if status == "rejected" else Response(201, told)
        self._add(Operation(name, "create", ALICE, "/fastcheck", {"amount": amount, "note": name}), response)
        acceptor = BOB if status == "used" else None
        self.books.checks.append(
            Check(check_id, number, ALICE, acceptor, amount, name, status, expires_at, CODE.encode())
        )
        if status == "rejected":
            return
        self._move("check_created", check_id, ALICE, -amount, ESCROW)
        if status == "used":
            body = {"fastcheck": number, "code": CODE}
            self._add(
                Operation("b-accept", "accept", BOB, "/fastcheck/accept", body), Response(200, {"amount": amount})
            )
            self._move("check_accepted", check_id, BOB, amount, ESCROW)
        elif status == "cancelled":
            response = Response(200, {"status": "cancelled"})
            self._add(Operation("a-cancel", "cancel", ALICE, f"/fastcheck/{number}/cancel"), response)
        if status in ("cancelled", "expired"):
            self._move(f"check_{status}", check_id, ALICE, amount, ESCROW)
        if status in _EVENTS:
            self._publish(_EVENTS[status], check_id)

    def _publish(self, kind: str, subject: str) -> None:
        event = Event(f"event-{subject}", kind, subject, NOON + timedelta(seconds=1), is_closed=True)
        self.books.outbox[event.event_id] = event

    def _move(self, kind: str, subject: str, user: str, amount: int, other: str) -> None:
        transfer_id = f"{kind}-{subject}"
        self._balances[user] += amount
        self.books.transfers.append(Transfer(transfer_id, kind, "posted", subject, user, abs(amount), "RUB"))
        entries = self.books.entries
        entries.append(Entry(len(entries), transfer_id, f"account-{user}", amount, "RUB", self._balances[user]))
        entries.append(Entry(len(entries), transfer_id, other, -amount, "RUB", None))

    def _add(self, operation: Operation, response: Response) -> None:
        operation.responses.append(response)
        self.record.operations[operation.name] = operation

"""The judge: holds the books against each other, against the bank, and against what clients were told.

It shares no code with the services. Every rule yields sentences; no sentence means that the rule holds.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Protocol

from tests.faults.simulation.books import Books, Check, Transfer

_ENDINGS: Final = {"used": "check_accepted", "expired": "check_expired", "cancelled": "check_cancelled"}
_FUNDED: Final = frozenset({"active", *_ENDINGS})


class Paid(Protocol):
    """What the bank knows of a payment, in kopecks."""

    amount: int
    taken: int
    returned: int


def ledger(books: Books) -> Iterator[str]:
    """Double entry: everything sums to zero, no balance is or ever was negative, nothing happens twice."""
    yield from _transfers_balance(books)
    yield from _balances_follow_entries(books)
    yield from _nothing_happens_twice(books)


def _transfers_balance(books: Books) -> Iterator[str]:
    legs: dict[str, list[int]] = {}
    for entry in books.entries:
        legs.setdefault(entry.transfer_id, []).append(entry.amount)
    for transfer in books.transfers:
        found = sorted(legs.pop(transfer.transfer_id, []))
        if found != ([-transfer.amount, transfer.amount] if transfer.outcome == "posted" else []):
            yield f"transfer {transfer} has the entries {found}"
    if legs:
        yield f"entries without a transfer: {legs}"


def _balances_follow_entries(books: Books) -> Iterator[str]:
    left: dict[str, int] = {}
    for entry in books.entries:
        left[entry.account] = left.get(entry.account, 0) + entry.amount
        if entry.balance_after is not None and (entry.balance_after != left[entry.account] or entry.balance_after < 0):
            yield f"{entry} should leave {left[entry.account]}"
    for account in books.accounts:
        if account.balance is not None and (account.balance != left.get(account.account, 0) or account.balance < 0):
            yield f"{account} should have {left.get(account.account, 0)}"
    if sum(left.values()):
        yield f"all accounts together have {sum(left.values())}, not nothing"


def _nothing_happens_twice(books: Books) -> Iterator[str]:
    for cause, times in Counter((transfer.kind, transfer.subject) for transfer in books.transfers).items():
        if times > 1:
            yield f"{cause} is in the ledger {times} times"
    endings = Counter(transfer.subject for transfer in books.transfers if transfer.kind in _ENDINGS.values())
    for subject, times in endings.items():
        if times > 1:
            yield f"the hold of check {subject} ended {times} times"


def checks(books: Books, now: datetime) -> Iterator[str]:
    """Every check stands in the ledger as its own state says, and nothing is left undone."""
    of_check: dict[str, dict[str, Transfer]] = {}
    for transfer in books.transfers:
        if not transfer.kind.startswith("topup"):
            of_check.setdefault(transfer.subject, {})[transfer.kind] = transfer
    for check in books.checks:
        yield from _check(check, of_check.pop(check.check_id, {}), now)
    for subject, transfers in of_check.items():
        if any(transfer.outcome == "posted" for transfer in transfers.values()):
            yield f"the ledger moved money for check {subject}, which does not exist: {transfers}"
    active = sum(check.amount for check in books.checks if check.status == "active")
    kinds = {account.account: account.kind for account in books.accounts}
    escrow = sum(entry.amount for entry in books.entries if kinds.get(entry.account) == "escrow")
    if escrow != active:
        yield f"the escrow holds {escrow}, the active checks are worth {active}"


def _check(check: Check, transfers: dict[str, Transfer], now: datetime) -> Iterator[str]:
    if check.status == "pending" or (check.status == "active" and check.expires_at <= now):
        yield f"{check.number} is still {check.status}"
    hold = transfers.get("check_created")
    held = hold is not None and hold.outcome == "posted"
    if held != (check.status in _FUNDED):
        yield f"{check.number} is {check.status}, and its hold is {hold}"
    if held and hold is not None and (hold.user, hold.amount) != (check.creator, check.amount):
        yield f"{check.number}: the hold {hold} is not that of {check}"
    wanted = _ENDINGS.get(check.status)
    endings = {kind: transfer for kind, transfer in transfers.items() if kind != "check_created"}
    if set(endings) != ({wanted} if wanted else set()):
        yield f"{check.number} is {check.status}, and the ledger has {list(endings)}"
    for ending in endings.values():
        owner = check.acceptor if check.status == "used" else check.creator
        if (ending.user, ending.amount) != (owner, check.amount):
            yield f"{check.number}: {ending} does not pay {check.amount} to {owner}"


def topups(books: Books, bank: Mapping[str, Paid]) -> Iterator[str]:
    """What the bank has of a card is on the balance, once, and nothing else is."""
    kept: dict[str, int] = {}
    for payment_id, payment in bank.items():
        if payment.taken - payment.returned:
            topup = books.payments.get(payment_id, f"none, for payment {payment_id}")
            kept[topup] = kept.get(topup, 0) + payment.taken - payment.returned
    credited: dict[str, int] = {}
    owners = {topup.topup_id: topup for topup in books.topups}
    for transfer in books.transfers:
        if transfer.kind.startswith("topup") and transfer.outcome == "posted":
            sign = 1 if transfer.kind == "topup" else -1
            credited[transfer.subject] = credited.get(transfer.subject, 0) + sign * transfer.amount
            owner = owners.get(transfer.subject)
            if owner is None or owner.user != transfer.user or owner.amount != transfer.amount:
                yield f"{transfer} does not belong to {owner}"
    for subject in kept.keys() | credited.keys():
        if kept.get(subject, 0) != credited.get(subject, 0):
            yield f"top-up {subject}: the bank keeps {kept.get(subject, 0)}, credited is {credited.get(subject, 0)}"


def bus(books: Books) -> Iterator[str]:
    """No event is open, and none was put aside for another reason than dead workers and locks that were not given."""
    for event in books.open_events:
        yield f"an event is still open: {event}"
    for error in books.dead_letters:
        yield f"an event is parked: {error}"


def everything(books: Books, bank: Mapping[str, Paid], now: datetime) -> Iterator[str]:
    """All rules about the books."""
    yield from ledger(books)
    yield from checks(books, now)
    yield from topups(books, bank)
    yield from bus(books)

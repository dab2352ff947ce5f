"""Rules about the books alone: sums, balances, and one movement per cause."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from tests.faults.chaos.books import Books, Check, Transfer
from tests.faults.chaos.violation import Violation

#: The transfer that ends the hold of a check, by its status.
ENDINGS: Final = {"used": "check_accepted", "expired": "check_expired", "cancelled": "check_cancelled"}


def ledger_adds_up(books: Books) -> Iterator[Violation]:
    """A posted transfer has two entries that sum to zero; a refused one has none."""
    rule = "every transfer sums to zero"
    legs: dict[str, list[int]] = defaultdict(list)
    for entry in books.entries:
        legs[entry.transfer_id].append(entry.amount)
    for transfer in books.transfers:
        found = sorted(legs.pop(transfer.transfer_id, []))
        expected = [-transfer.amount, transfer.amount] if transfer.posted else []
        if found != expected:
            yield Violation(rule, f"transfer {transfer.transfer_id}", f"has the entries {found} and not {expected}")
    for transfer_id in legs:
        yield Violation(rule, f"transfer {transfer_id}", "has entries and does not exist")


def balances_are_never_negative(books: Books) -> Iterator[Violation]:
    """Every balance_after is the sum up to its entry, is not negative, and ends in the balance of the account."""
    rule = "no balance is negative at any time"
    running: dict[str, int] = defaultdict(int)
    users = {account.account_id for account in books.accounts if account.kind == "user"}
    for entry in books.entries:
        running[entry.account_id] += entry.amount
        if entry.account_id not in users:
            continue
        if running[entry.account_id] < 0:
            yield Violation(rule, f"entry {entry.entry_id}", f"leaves a balance of {running[entry.account_id]}")
        if entry.balance_after != running[entry.account_id]:
            message = f"has the balance_after {entry.balance_after}, the sum is {running[entry.account_id]}"
            yield Violation(rule, f"entry {entry.entry_id}", message)
    for account in books.accounts:
        if account.kind == "user" and account.balance != running[account.account_id]:
            message = f"has {account.balance} where the sum of its entries is {running[account.account_id]}"
            yield Violation(rule, f"account {account.account_id}", message)


def nothing_is_moved_twice(books: Books) -> Iterator[Violation]:
    """A cause has one movement of a kind, and a check one ending."""
    rule = "nothing is moved twice"
    times = Counter((transfer.subject, transfer.kind) for transfer in books.transfers)
    for (subject, kind), count in times.items():
        if count > 1:
            yield Violation(rule, subject, f"has {count} transfers of the kind {kind}")
    for subject, transfers in books.posted().items():
        endings = [transfer.kind for transfer in transfers if transfer.kind in ENDINGS.values()]
        if len(endings) > 1:
            yield Violation(rule, f"check {subject}", f"ended {len(endings)} times: {', '.join(endings)}")


def checks_have_their_money(books: Books) -> Iterator[Violation]:
    """The movements of a check match its status, amount and users."""
    posted = books.posted()
    for check in books.checks:
        found = sorted(_summary(transfer) for transfer in posted.pop(check.check_id, []))
        expected = sorted(_expected_movements(check))
        if found != expected:
            yield Violation(
                "a check has exactly the movements of its status",
                f"check {check.check_id} ({check.status}, {check.note})",
                f"has {found} and not {expected}",
            )
    topups = {topup.topup_id for topup in books.topups}
    for subject in posted.keys() - topups:
        yield Violation("every movement has a check or a top-up", subject, "is neither a check nor a top-up")


def _summary(transfer: Transfer) -> tuple[str, str, int]:
    return transfer.kind, transfer.user, transfer.amount


def _expected_movements(check: Check) -> list[tuple[str, str, int]]:
    if check.status == "rejected":
        return []
    hold = ("check_created", check.creator, check.amount)
    if check.status == "pending":
        return [("decided", check.creator, check.amount)]  # matches no movement: every check must be decided by now
    if check.status == "active":
        return [hold]
    beneficiary = check.acceptor if check.status == "used" else check.creator
    return [hold, (ENDINGS[check.status], str(beneficiary), check.amount)]


def topups_are_what_was_paid(books: Books) -> Iterator[Violation]:
    """A payment at the bank is confirmed and credited: once, in full, to its user."""
    rule = "a payment is credited exactly once"
    posted = books.posted()
    paid = {payment.topup_id: payment for payment in books.paid}
    for payment in books.paid:
        if payment.topup_id is None:
            yield Violation(rule, f"order {payment.order_id}", "is paid at the bank and unknown to payments")
    for topup in books.topups:
        money = paid.get(topup.topup_id)
        credited = [_summary(transfer) for transfer in posted.get(topup.topup_id, [])]
        expected = [("topup", topup.user, money.amount)] if money else []
        if credited != expected:
            yield Violation(rule, f"top-up {topup.topup_id} ({topup.status})", f"has {credited} and not {expected}")
        if money and (topup.status != "confirmed" or money.amount != topup.amount):
            message = f"is {topup.status} with {topup.amount}, the bank has taken {money.amount}"
            yield Violation(rule, f"top-up {topup.topup_id}", message)


def nothing_expires_early(books: Books, clocks: Sequence[tuple[float, float, float]]) -> Iterator[Violation]:
    """A check expires after its time by the clock of the sweep.

    ``clocks`` lists the offsets of that clock: from, until (Unix time), and seconds ahead.
    """
    for check in books.checks:
        decided_at = books.expired_at.get(check.check_id)
        if check.status != "expired" or decided_at is None:
            continue
        if check.expires_at > decided_at + timedelta(seconds=_ahead(decided_at, clocks) + 1):
            message = f"was expired at {decided_at}, before {check.expires_at}"
            yield Violation("no check expires early", f"check {check.check_id}", message)


def _ahead(decided_at: datetime, clocks: Sequence[tuple[float, float, float]]) -> float:
    at = decided_at.timestamp()
    return max((ahead for begins, ends, ahead in clocks if begins <= at <= ends), default=0.0)


def nothing_is_left_over(books: Books) -> Iterator[Violation]:
    """No event is open, unprocessed or parked."""
    for event_id in books.open_events:
        yield Violation("every event is delivered", f"event {event_id}", "is not acknowledged")
    for event_id in books.unprocessed:
        yield Violation("every event is delivered", f"event {event_id}", "was received and is not processed")
    for event_id in books.dead_letters:
        yield Violation("no event is parked", f"event {event_id}", "is parked")

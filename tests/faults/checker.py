"""The first checker: compares the books with themselves and with the bank.

It shares no code with the services. Each rule yields one sentence per violation. Call it when nothing moves. What
clients were told is for ``responses.py``.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import Final, Protocol

from tests.faults.books import Books, Check, Transfer

#: The status of an ended check, and the kind of the transfer that ends its hold.
_ENDINGS: Final = {"used": "check_accepted", "expired": "check_expired", "cancelled": "check_cancelled"}
CHECK_EXPIRED: Final = "check.expired.v1"
#: The kind of the transfer that is the effect of an event.
_EFFECTS: Final = {
    "payment.confirmed.v1": "topup",
    "check.accepted.v1": "check_accepted",
    CHECK_EXPIRED: "check_expired",
    "check.cancelled.v1": "check_cancelled",
}
_FUNDED: Final = frozenset({"active", *_ENDINGS})
_PAID: Final = frozenset({"paid", "surplus"})
_CONFIRMED: Final = frozenset({"confirmed", "refund_pending", "partly_refunded", "refunded"})


class Paid(Protocol):
    """A payment as the bank has it: kopecks charged to the card, and returned to it."""

    @property
    def order_id(self) -> str: ...
    @property
    def taken(self) -> int: ...
    @property
    def returned(self) -> int: ...


#: Seconds by which the clock of the sweep was ahead of the others at an instant.
Ahead = Callable[[datetime], float]


def violations(books: Books, bank: Collection[Paid], ahead: Ahead = lambda _at: 0.0) -> Iterator[str]:
    """Yield all violations. ``ahead`` states what a harness has done to the clock of the sweep."""
    yield from ledger(books)
    yield from checks(books)
    yield from expirations(books, ahead)
    yield from topups(books, bank)
    yield from unfinished(books, bank)
    for kind, error in books.parked:
        yield f"event {kind} is parked: {error}"


def unfinished(books: Books, bank: Collection[Paid]) -> Iterator[str]:
    """Yield what the system must complete without help: it is a violation once the system has settled."""
    for event in books.outbox.values():
        if not event.is_closed:
            yield f"an event is still open: {event}"
    yield from _unprocessed_events(books)
    for check in books.checks:
        if check.status == "pending" or (check.status == "active" and check.expires_at <= books.at):
            yield f"{check.number} is still {check.status}"
    for refund in books.refunds.values():
        if not refund.is_finished:
            yield f"a refund is not finished: {refund}"
    for payment in bank:
        order = books.orders.get(payment.order_id)
        if payment.taken and (order is None or order.state not in _PAID):
            yield f"order {payment.order_id} is paid at the bank, and payments has {order}"


def _unprocessed_events(books: Books) -> Iterator[str]:
    """An event may remain unprocessed only if its effect is in the ledger and its publisher no longer sends it.

    This is the result of a synchronous command that has the effect of an event whose message was lost.
    """
    effects = {(transfer.kind, transfer.subject) for transfer in books.transfers if transfer.outcome == "posted"}
    for event_id, kind in books.unprocessed:
        event = books.outbox.get(event_id)
        if event is None or not event.is_closed or (_EFFECTS[kind], event.subject) not in effects:
            yield f"an event is neither processed nor parked: {kind} {event_id}, and its publisher has {event}"


def ledger(books: Books) -> Iterator[str]:
    """Double entry: entries sum to zero, no balance is or was negative, each cause has one transfer."""
    yield from _transfers_balance(books)
    yield from _balances_follow_entries(books)
    yield from _each_cause_has_one_transfer(books)


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
    sums: dict[str, int] = {}
    users = {account.account for account in books.accounts if account.kind == "user"}
    for entry in books.entries:
        sums[entry.account] = sums.get(entry.account, 0) + entry.amount
        if entry.account in users and (entry.balance_after != sums[entry.account] or sums[entry.account] < 0):
            yield f"{entry} should leave {sums[entry.account]}"
    for account in books.accounts:
        if account.kind == "user" and account.balance != sums.get(account.account, 0):
            yield f"{account} should have {sums.get(account.account, 0)}"
    if sum(sums.values()):
        yield f"the balances of all accounts sum to {sum(sums.values())} instead of 0"


def _each_cause_has_one_transfer(books: Books) -> Iterator[str]:
    for cause, count in Counter((transfer.kind, transfer.subject) for transfer in books.transfers).items():
        if count > 1:
            yield f"the ledger has {count} transfers for {cause}"
    endings = Counter(transfer.subject for transfer in books.transfers if transfer.kind in _ENDINGS.values())
    for subject, count in endings.items():
        if count > 1:
            yield f"the hold of check {subject} ended {count} times"


def checks(books: Books) -> Iterator[str]:
    """Each check has the transfers of its status, and the escrow account holds the active checks."""
    of_check: dict[str, dict[str, Transfer]] = {}
    for transfer in books.transfers:
        if not transfer.kind.startswith("topup"):
            of_check.setdefault(transfer.subject, {})[transfer.kind] = transfer
    for check in books.checks:
        yield from _check(check, of_check.pop(check.check_id, {}))
    for subject, transfers in of_check.items():
        if any(transfer.outcome == "posted" for transfer in transfers.values()):
            yield f"the ledger moved money for check {subject}, which does not exist: {transfers}"
    active = sum(check.amount for check in books.checks if check.status == "active")
    kinds = {account.account: account.kind for account in books.accounts}
    escrow = sum(entry.amount for entry in books.entries if kinds.get(entry.account) == "escrow")
    if escrow != active:
        yield f"the escrow account holds {escrow}, the active checks are worth {active}"


def _check(check: Check, transfers: dict[str, Transfer]) -> Iterator[str]:
    hold = transfers.get("check_created")
    held = hold is not None and hold.outcome == "posted"
    if held != (check.status in _FUNDED):
        yield f"{check.number} is {check.status}, and its hold is {hold}"
    if held and hold is not None and (hold.user, hold.amount) != (check.creator, check.amount):
        yield f"{check.number}: the hold {hold} does not match {check}"
    expected = _ENDINGS.get(check.status)
    endings = {kind: transfer for kind, transfer in transfers.items() if kind != "check_created"}
    if set(endings) != ({expected} if expected else set()):
        yield f"{check.number} is {check.status}, and the ledger has {list(endings)}"
    for ending in endings.values():
        owner = check.acceptor if check.status == "used" else check.creator
        if (ending.user, ending.amount) != (owner, check.amount):
            yield f"{check.number}: {ending} does not pay {check.amount} to {owner}"


def expirations(books: Books, ahead: Ahead) -> Iterator[str]:
    """No check expires before its time, by the clock of the sweep."""
    expired_at = {event.subject: event.created_at for event in books.outbox.values() if event.type == CHECK_EXPIRED}
    for check in books.checks:
        decided_at = expired_at.get(check.check_id)
        if check.status == "expired" and decided_at is not None:
            allowed_at = decided_at + timedelta(seconds=ahead(decided_at) + 1)
            if check.expires_at > allowed_at:
                yield f"{check.number} was expired at {decided_at}, before {check.expires_at}"


def topups(books: Books, bank: Collection[Paid]) -> Iterator[str]:
    """What the bank keeps of a payment is credited once, and nothing else is credited."""
    kept: Counter[str] = Counter()
    for payment in bank:
        order = books.orders.get(payment.order_id)
        kept[order.topup_id if order else f"none, for order {payment.order_id}"] += payment.taken - payment.returned
    credited: Counter[str] = Counter()
    topup_of = {topup.topup_id: topup for topup in books.topups}
    for transfer in books.transfers:
        if transfer.kind.startswith("topup") and transfer.outcome == "posted":
            # A refund moves its own amount, and a refund that the bank refuses moves it back.
            refund = books.refunds.get(transfer.subject)
            subject = refund.topup_id if refund else transfer.subject
            credited[subject] += transfer.amount if transfer.kind == "topup" else -transfer.amount
            owner = topup_of.get(subject)
            amount = refund.amount if refund else owner and owner.amount
            if owner is None or owner.user != transfer.user or amount != transfer.amount:
                yield f"{transfer} does not belong to {owner}"
    for order in books.orders.values():
        topup = topup_of.get(order.topup_id)
        if order.state == "paid" and (topup is None or topup.status not in _CONFIRMED):
            yield f"{order} is paid, and its top-up is {topup}"
    for subject in kept.keys() | credited.keys():
        if kept[subject] != credited[subject]:
            yield f"top-up {subject}: the bank keeps {kept[subject]}, {credited[subject]} is credited"

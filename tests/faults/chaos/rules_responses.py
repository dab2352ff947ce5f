"""What clients were told, against the books: who was told yes has it, who was told no has lost nothing."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tests.faults.chaos.books import Books, Check
from tests.faults.chaos.record import SAME, Operation, Record
from tests.faults.chaos.violation import Violation

#: What an acceptor or a creator may be told of a check that has ended, and how it then must have ended.
TOLD: Final = {"check_used": "used", "check_expired": "expired", "check_cancelled": "cancelled"}
#: What people do at the bank's page.
VISITS: Final = ("pay", "decline", "call off")


def answers_are_expected(record: Record) -> Iterator[Violation]:
    """The clients make no mistakes: whatever is refused is refused for a reason that can be theirs."""
    may = {
        "top up": {"bank_refused"},
        "create": {"insufficient_funds"},
        "accept": {"check_used", "check_expired", "check_cancelled"},
        "cancel": {"check_used", "check_expired"},
        "change code": {"check_used", "check_expired", "check_cancelled"},
    }
    for subject in record.bugs:
        yield Violation("nobody is answered 500", subject, "a part that is down is a 503, anything else is a bug")
    for operation in record.operations.values():
        if operation.is_unknown or operation.said_yes or operation.code in may.get(operation.kind, set()):
            continue
        message = f"was answered {operation.status} {operation.answer}"
        yield Violation("nobody is refused without a reason", f"{operation.kind} {operation.name}", message)


def repeats_are_repeats(record: Record) -> Iterator[Violation]:
    """The same key again gives the first answer again."""
    for operation in record.operations.values():
        fields = SAME.get(operation.kind, ())
        first = (operation.status, [operation.answer.get(name) for name in fields])
        for status, body in operation.again:
            seen = (status, [body.get(name) for name in fields])
            if seen != first:
                yield Violation(
                    "a repeat is answered as the first time",
                    f"{operation.kind} {operation.name}",
                    f"was first answered {first}, then {seen}",
                )


def created_checks_exist_once(books: Books, record: Record) -> Iterator[Violation]:
    """One request, one check; a refused one holds nothing; and no check is nobody's."""
    rule = "one request to create makes one check"
    by_note: dict[str | None, list[Check]] = defaultdict(list)
    for check in books.checks:
        by_note[check.note].append(check)
    for operation in record.of_kind("create"):
        checks = by_note.pop(operation.name, [])
        subject = f"create {operation.name}"
        if len(checks) > 1:
            yield Violation(rule, subject, f"made {len(checks)} checks")
        if operation.said_yes:
            yield from _as_promised(rule, subject, operation, checks)
        elif not operation.is_unknown and any(check.status != "rejected" for check in checks):
            yield Violation(rule, subject, f"was refused, and its check is {checks[0].status}")
    for note, checks in by_note.items():
        yield Violation(rule, f"check {checks[0].check_id}", f"was asked for by nobody (its note is {note!r})")


def _as_promised(rule: str, subject: str, operation: Operation, checks: list[Check]) -> Iterator[Violation]:
    wanted = (operation.number, operation.user, operation.body["amount"])
    if not checks:
        yield Violation(rule, subject, f"was promised {wanted}, the books have no such check")
    for check in checks:
        found = (check.number, check.creator, check.amount)
        if found != wanted or check.status in ("pending", "rejected"):
            yield Violation(rule, subject, f"was promised {wanted}, the books have {found} ({check.status})")


def accepted_checks_are_paid_once(books: Books, record: Record) -> Iterator[Violation]:
    """At most one request for a check is told yes, and his it is; nobody has it who did not ask."""
    rule = "a check is accepted once, by who was told so"
    checks = {check.number: check for check in books.checks}
    accepts: dict[str, list[Operation]] = defaultdict(list)
    for operation in record.of_kind("accept"):
        accepts[operation.number].append(operation)
    for number, operations in accepts.items():
        winners = [operation for operation in operations if operation.said_yes]
        if len(winners) > 1:
            names = ", ".join(operation.name for operation in winners)
            yield Violation(rule, f"check {number}", f"was promised {len(winners)} times: {names}")
        for operation in winners:
            check = checks.get(number)
            found = (check.status, check.acceptor, check.amount) if check else None
            if found != ("used", operation.user, operation.answer["amount"]):
                yield Violation(rule, f"accept {operation.name}", f"was told yes, the books have {found}")
    for check in books.checks:
        asked = [operation for operation in accepts[check.number] if operation.said_yes or operation.is_unknown]
        if check.status == "used" and check.acceptor not in {operation.user for operation in asked}:
            yield Violation(rule, f"check {check.number}", f"went to {check.acceptor}, who was not told so")


def ended_checks_are_as_told(books: Books, record: Record) -> Iterator[Violation]:
    """A cancellation that was confirmed stands, and whoever was told how a check ended was told the truth."""
    rule = "a check has ended as people were told"
    checks = {check.number: check for check in books.checks}
    told_cancelled = {operation.number for operation in record.of_kind("cancel") if not _was_refused(operation)}
    for kind in ("accept", "cancel", "change code"):
        for operation in record.of_kind(kind):
            wanted = "cancelled" if kind == "cancel" and operation.said_yes else TOLD.get(operation.code)
            check = checks.get(operation.number)
            if wanted is not None and (check is None or check.status != wanted):
                found = check.status if check else "nowhere"
                yield Violation(rule, f"{kind} {operation.name}", f"was told {wanted}, the books have it {found}")
    for check in books.checks:
        if check.status == "cancelled" and check.number not in told_cancelled:
            yield Violation(rule, f"check {check.number}", "is cancelled, which nobody asked for")


def _was_refused(operation: Operation) -> bool:
    return not operation.is_unknown and not operation.said_yes


def topups_are_as_told(books: Books, record: Record) -> Iterator[Violation]:
    """One request, one top-up; who paid has paid, and who did not has not."""
    rule = "a top-up is what its user did"
    rows: dict[tuple[str, int], list[str]] = defaultdict(list)
    for topup in books.topups:
        rows[topup.user, topup.amount].append(topup.topup_id)
    paid = {payment.topup_id for payment in books.paid}
    for operation in record.of_kind("top up"):
        ids = rows.pop((operation.user, operation.body["amount"]), [])
        if len(ids) > 1:
            yield Violation(rule, f"top up {operation.name}", f"made {len(ids)} top-ups")
        if operation.said_yes and ids != [operation.answer["transactionID"]]:
            yield Violation(rule, f"top up {operation.name}", f"was promised {operation.answer}, the books have {ids}")
    for (user, amount), ids in rows.items():
        yield Violation(rule, f"top-up {ids[0]}", f"of {amount} for {user} was asked for by nobody")
    visits = {operation.transaction: operation for kind in VISITS for operation in record.of_kind(kind)}
    for operation in visits.values():
        is_paid = operation.transaction in paid
        if operation.outcome == "done" and is_paid != (operation.kind == "pay"):
            message = f"ended at the bank, where it is {'paid' if is_paid else 'not paid'}"
            yield Violation(rule, f"{operation.kind} {operation.name}", message)
    payers = {operation.transaction for operation in visits.values() if operation.kind == "pay"}
    for transaction in paid - payers:
        yield Violation(rule, f"top-up {transaction}", "is paid at the bank, and nobody paid it")


def everybody_has_what_is_his(books: Books, record: Record) -> Iterator[Violation]:
    """The balance that the clients' own record makes is the one in the books, and the one that the user is told.

    Where a client does not know what became of an operation, the books are asked whether it happened; where he
    knows, they are not.
    """
    rule = "everybody has what is his"
    expected = _expected(books, record)
    accounts = {account.user: account.balance for account in books.accounts if account.kind == "user"}
    for user in sorted(set(record.users.values())):
        if accounts.get(user, 0) != expected[user]:
            yield Violation(rule, f"user {user}", f"should have {expected[user]}, the books say {accounts.get(user)}")
        if user in record.balances and record.balances[user] != expected[user]:
            yield Violation(rule, f"user {user}", f"should have {expected[user]}, he was told {record.balances[user]}")
    for user in books.users - set(record.users.values()):
        yield Violation(rule, f"user {user}", "is nobody")


def _expected(books: Books, record: Record) -> dict[str, int]:
    balance: dict[str, int] = defaultdict(int)
    checks = {check.number: check for check in books.checks}
    notes = {check.note: check for check in books.checks}
    paid = {payment.topup_id for payment in books.paid}
    amounts = {
        operation.answer["transactionID"]: operation.body["amount"]
        for operation in record.of_kind("top up")
        if operation.said_yes
    }
    for visit in record.of_kind("pay"):
        if visit.outcome == "done" or visit.transaction in paid:
            balance[visit.user] += amounts[visit.transaction]
    for operation in record.of_kind("create"):
        check = checks.get(operation.number) if operation.said_yes else None
        if operation.is_unknown:
            found = notes.get(operation.name)
            check = found if found and found.status != "rejected" else None
        if operation.said_yes or check is not None:
            balance[operation.user] -= operation.body["amount"]
        if check is not None and check.status in ("cancelled", "expired"):
            balance[operation.user] += operation.body["amount"]
    for operation in record.of_kind("accept"):
        check = checks.get(operation.number)
        if operation.said_yes:
            balance[operation.user] += operation.answer["amount"]
        elif operation.is_unknown and _is_his_alone(operation, check, record):
            balance[operation.user] += check.amount if check else 0
    return balance


def _is_his_alone(operation: Operation, check: Check | None, record: Record) -> bool:
    """Whether an accept that nobody answered has brought the check to its user, who got it by no other request."""
    if check is None or check.acceptor != operation.user:
        return False
    same = [o for o in record.of_kind("accept") if o.number == operation.number and o.user == operation.user]
    return not any(o.said_yes for o in same) and next(o for o in same if o.is_unknown) is operation

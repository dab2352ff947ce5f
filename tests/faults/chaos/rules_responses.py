"""Rules about responses against the books: a success has its effect, and a refusal has none."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tests.faults.chaos.books import Books, Check
from tests.faults.chaos.record import REPEATED_FIELDS, Operation, Record
from tests.faults.chaos.violation import Violation

#: The status of a check that each error code reports.
REPORTED_STATUS: Final = {"check_used": "used", "check_expired": "expired", "check_cancelled": "cancelled"}
#: Operations on the bank's page.
PAYMENT_PAGE_KINDS: Final = ("pay", "decline", "abort")


def responses_are_expected(record: Record) -> Iterator[Violation]:
    """Clients send only valid requests, so an error must have one of the expected reasons."""
    may = {
        "top up": {"bank_refused"},
        "create": {"insufficient_funds"},
        "accept": {"check_used", "check_expired", "check_cancelled"},
        "cancel": {"check_used", "check_expired"},
        "change code": {"check_used", "check_expired", "check_cancelled"},
    }
    for subject in record.server_errors:
        yield Violation("no response is a 500", subject, "an unavailable dependency is a 503, a 500 is a bug")
    for operation in record.operations.values():
        if operation.is_unknown or operation.succeeded or operation.code in may.get(operation.kind, set()):
            continue
        message = f"has the response {operation.status} {operation.response}"
        yield Violation("every error has an expected reason", f"{operation.kind} {operation.name}", message)


def repeats_get_the_first_response(record: Record) -> Iterator[Violation]:
    """A repeat with the same key gets the first response."""
    for operation in record.operations.values():
        fields = REPEATED_FIELDS.get(operation.kind, ())
        first = (operation.status, [operation.response.get(name) for name in fields])
        for status, body in operation.repeats:
            seen = (status, [body.get(name) for name in fields])
            if seen != first:
                yield Violation(
                    "a repeat gets the first response",
                    f"{operation.kind} {operation.name}",
                    f"first got {first}, then {seen}",
                )


def created_checks_exist_once(books: Books, record: Record) -> Iterator[Violation]:
    """A request creates at most one check, a refused one holds nothing, and every check has a request."""
    rule = "one request to create makes one check"
    by_note: dict[str | None, list[Check]] = defaultdict(list)
    for check in books.checks:
        by_note[check.note].append(check)
    for operation in record.of_kind("create"):
        checks = by_note.pop(operation.name, [])
        subject = f"create {operation.name}"
        if len(checks) > 1:
            yield Violation(rule, subject, f"made {len(checks)} checks")
        if operation.succeeded:
            yield from _compare_with_response(rule, subject, operation, checks)
        elif not operation.is_unknown and any(check.status != "rejected" for check in checks):
            yield Violation(rule, subject, f"was rejected, and its check is {checks[0].status}")
    for note, checks in by_note.items():
        yield Violation(rule, f"check {checks[0].check_id}", f"has no request (its note is {note!r})")


def _compare_with_response(rule: str, subject: str, operation: Operation, checks: list[Check]) -> Iterator[Violation]:
    expected = (operation.number, operation.user, operation.body["amount"])
    if not checks:
        yield Violation(rule, subject, f"got {expected}, the books have no such check")
    for check in checks:
        found = (check.number, check.creator, check.amount)
        if found != expected or check.status in ("pending", "rejected"):
            yield Violation(rule, subject, f"got {expected}, the books have {found} ({check.status})")


def accepted_checks_are_paid_once(books: Books, record: Record) -> Iterator[Violation]:
    """At most one accept of a check succeeds, and the acceptor sent one that succeeded or has no known outcome."""
    rule = "a check is accepted once, by the user with the success response"
    checks = {check.number: check for check in books.checks}
    accepts: dict[str, list[Operation]] = defaultdict(list)
    for operation in record.of_kind("accept"):
        accepts[operation.number].append(operation)
    for number, operations in accepts.items():
        winners = [operation for operation in operations if operation.succeeded]
        if len(winners) > 1:
            names = ", ".join(operation.name for operation in winners)
            yield Violation(rule, f"check {number}", f"was accepted {len(winners)} times: {names}")
        for operation in winners:
            check = checks.get(number)
            found = (check.status, check.acceptor, check.amount) if check else None
            if found != ("used", operation.user, operation.response["amount"]):
                yield Violation(rule, f"accept {operation.name}", f"succeeded, the books have {found}")
    for check in books.checks:
        candidates = [operation for operation in accepts[check.number] if operation.succeeded or operation.is_unknown]
        if check.status == "used" and check.acceptor not in {operation.user for operation in candidates}:
            yield Violation(rule, f"check {check.number}", f"went to {check.acceptor}, who has no such response")


def ended_checks_are_as_reported(books: Books, record: Record) -> Iterator[Violation]:
    """A confirmed cancellation persists, and every reported ending is true."""
    rule = "a check has the status that clients were told"
    checks = {check.number: check for check in books.checks}
    requested = {operation.number for operation in record.of_kind("cancel") if not _was_rejected(operation)}
    for kind in ("accept", "cancel", "change code"):
        for operation in record.of_kind(kind):
            expected = "cancelled" if kind == "cancel" and operation.succeeded else REPORTED_STATUS.get(operation.code)
            check = checks.get(operation.number)
            if expected is not None and (check is None or check.status != expected):
                found = check.status if check else "missing"
                yield Violation(rule, f"{kind} {operation.name}", f"was reported {expected}, the books have it {found}")
    for check in books.checks:
        if check.status == "cancelled" and check.number not in requested:
            yield Violation(rule, f"check {check.number}", "is cancelled without a request")


def _was_rejected(operation: Operation) -> bool:
    return not operation.is_unknown and not operation.succeeded


def topups_are_as_reported(books: Books, record: Record) -> Iterator[Violation]:
    """A request creates one top-up; it is paid exactly if its user paid."""
    rule = "a top-up is what its user requested and paid"
    rows: dict[tuple[str, int], list[str]] = defaultdict(list)
    for topup in books.topups:
        rows[topup.user, topup.amount].append(topup.topup_id)
    paid = {payment.topup_id for payment in books.paid}
    for operation in record.of_kind("top up"):
        ids = rows.pop((operation.user, operation.body["amount"]), [])
        if len(ids) > 1:
            yield Violation(rule, f"top up {operation.name}", f"made {len(ids)} top-ups")
        if operation.succeeded and ids != [operation.response["transactionID"]]:
            yield Violation(rule, f"top up {operation.name}", f"got {operation.response}, the books have {ids}")
    for (user, amount), ids in rows.items():
        yield Violation(rule, f"top-up {ids[0]}", f"of {amount} for {user} has no request")
    visits = {operation.transaction: operation for kind in PAYMENT_PAGE_KINDS for operation in record.of_kind(kind)}
    for operation in visits.values():
        is_paid = operation.transaction in paid
        if operation.outcome == "done" and is_paid != (operation.kind == "pay"):
            message = f"ended at the bank, where it is {'paid' if is_paid else 'not paid'}"
            yield Violation(rule, f"{operation.kind} {operation.name}", message)
    payers = {operation.transaction for operation in visits.values() if operation.kind == "pay"}
    for transaction in paid - payers:
        yield Violation(rule, f"top-up {transaction}", "is paid at the bank without a visit")


def balances_are_as_recorded(books: Books, record: Record) -> Iterator[Violation]:
    """The balance computed from the journals equals the books and the user's reading.

    The books decide only about operations whose outcome the client does not know.
    """
    rule = "every balance is what the responses to its user make"
    expected = _expected(books, record)
    accounts = {account.user: account.balance for account in books.accounts if account.kind == "user"}
    for user in sorted(set(record.users.values())):
        if accounts.get(user, 0) != expected[user]:
            yield Violation(rule, f"user {user}", f"should have {expected[user]}, the books say {accounts.get(user)}")
        if user in record.balances and record.balances[user] != expected[user]:
            yield Violation(
                rule, f"user {user}", f"should have {expected[user]}, the response was {record.balances[user]}"
            )
    for user in books.users - set(record.users.values()):
        yield Violation(rule, f"user {user}", "is unknown to the clients")


def _expected(books: Books, record: Record) -> dict[str, int]:
    balance: dict[str, int] = defaultdict(int)
    checks = {check.number: check for check in books.checks}
    notes = {check.note: check for check in books.checks}
    paid = {payment.topup_id for payment in books.paid}
    amounts = {
        operation.response["transactionID"]: operation.body["amount"]
        for operation in record.of_kind("top up")
        if operation.succeeded
    }
    for visit in record.of_kind("pay"):
        if visit.outcome == "done" or visit.transaction in paid:
            balance[visit.user] += amounts[visit.transaction]
    for operation in record.of_kind("create"):
        check = checks.get(operation.number) if operation.succeeded else None
        if operation.is_unknown:
            found = notes.get(operation.name)
            check = found if found and found.status != "rejected" else None
        if operation.succeeded or check is not None:
            balance[operation.user] -= operation.body["amount"]
        if check is not None and check.status in ("cancelled", "expired"):
            balance[operation.user] += operation.body["amount"]
    for operation in record.of_kind("accept"):
        check = checks.get(operation.number)
        if operation.succeeded:
            balance[operation.user] += operation.response["amount"]
        elif operation.is_unknown and _is_only_explanation(operation, check, record):
            balance[operation.user] += check.amount if check else 0
    return balance


def _is_only_explanation(operation: Operation, check: Check | None, record: Record) -> bool:
    """Return whether this accept without a response is the only one that can have given its user the check."""
    if check is None or check.acceptor != operation.user:
        return False
    same = [o for o in record.of_kind("accept") if o.number == operation.number and o.user == operation.user]
    return not any(o.succeeded for o in same) and next(o for o in same if o.is_unknown) is operation

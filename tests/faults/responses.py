"""The second checker: compares the responses that clients received with the books.

A success has its effect and a refusal has none; a key has one effect and one response. Each rule yields one sentence
per violation, which begins with the rule. Call it when nothing moves. It shares no code with the services.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Final

from tests.faults.books import Books, Check
from tests.faults.checker import Paid
from tests.faults.record import Operation, Record, Response

#: The status of a check that each error code reports.
REPORTED_STATUS: Final = {"check_used": "used", "check_expired": "expired", "check_cancelled": "cancelled"}
#: Operations on the bank's page.
PAYMENT_PAGE_KINDS: Final = ("pay", "decline", "abort")


def violations(
    books: Books, bank: Collection[Paid], record: Record, code_of: Callable[[Check], str] | None = None
) -> Iterator[str]:
    """Yield all violations. ``code_of`` decrypts the code of a check, for the rule about codes."""
    orders = {payment.order_id for payment in bank if payment.taken}
    paid = {order.topup_id for order in books.orders.values() if order.order_id in orders}
    yield from repeats_get_the_first_response(record)
    yield from created_checks_exist_once(books, record)
    yield from accepted_checks_are_paid_once(books, record)
    yield from ended_checks_are_as_reported(books, record)
    yield from codes_are_as_reported(books, record, code_of)
    yield from topups_are_as_reported(books, record, paid)
    yield from balances_are_as_recorded(books, record, paid)


def errors_are_expected(record: Record, expected: Mapping[str, Collection[str]]) -> Iterator[str]:
    """A client that sends only valid requests gets no error but those of ``expected``, by kind, and never a 500."""
    for operation in record.operations.values():
        subject = f"{operation.kind} {operation.name}"
        if any(response.status == 500 for response in operation.responses):
            yield f"no response is a 500: {subject}: an unavailable dependency is a 503, a 500 is a bug"
        if operation.final and not operation.success and operation.code not in expected.get(operation.kind, ()):
            yield f"every error has an expected reason: {subject} got {operation.final[0]}"


def repeats_get_the_first_response(record: Record) -> Iterator[str]:
    """All final responses under one key are equal."""
    for operation in record.operations.values():
        if len({_text(response) for response in operation.final}) > 1:
            yield f"a repeat gets the first response: {operation.kind} {operation.name} got {operation.final}"


def _text(response: Response) -> str:
    return json.dumps([response.status, response.body], sort_keys=True)


def created_checks_exist_once(books: Books, record: Record) -> Iterator[str]:
    """A request creates at most one check, a refused one holds nothing, and every check has a request."""
    rule = "one request to create makes one check"
    by_note: dict[str | None, list[Check]] = defaultdict(list)
    for check in books.checks:
        by_note[check.note].append(check)
    for operation in record.of_kind("create"):
        checks = by_note.pop(operation.name, [])
        if len(checks) > 1:
            yield f"{rule}: {operation.name} made {checks}"
        if operation.success:
            yield from _compare_with_response(rule, operation, operation.success, checks)
        elif operation.code == "insufficient_funds" and any(check.status != "rejected" for check in checks):
            yield f"{rule}: {operation.name} was rejected, and made {checks}"
    for note, checks in by_note.items():
        yield f"{rule}: {checks[0].number} has no request (its note is {note!r})"


def _compare_with_response(rule: str, operation: Operation, response: Response, checks: list[Check]) -> Iterator[str]:
    expected = (operation.number, operation.user, operation.body["amount"])
    if not checks:
        yield f"{rule}: {operation.name} got {expected}, the books have no such check"
    for check in checks:
        found = (check.number, check.creator, check.amount)
        if found != expected or check.status in ("pending", "rejected"):
            yield f"{rule}: {operation.name} got {expected}, the books have {found} ({check.status})"
        promised = datetime.fromisoformat(response.body["expiration"])
        if abs((check.expires_at - promised).total_seconds()) >= 1:  # responses have whole seconds
            yield f"{rule}: {operation.name} was told that it expires at {promised}, the books have {check}"


def accepted_checks_are_paid_once(books: Books, record: Record) -> Iterator[str]:
    """At most one accept of a check succeeds, and the acceptor sent one that succeeded or has no known outcome."""
    rule = "a check is accepted once, by the user with the success response"
    checks = {check.number: check for check in books.checks}
    accepts = _by_number(record.of_kind("accept"))
    for number, operations in accepts.items():
        winners = [operation for operation in operations if operation.success]
        if len(winners) > 1:
            yield f"{rule}: {number} was accepted by {', '.join(operation.name for operation in winners)}"
        for operation in winners:
            check = checks.get(number)
            found = (check.status, check.acceptor, check.amount) if check else None
            told = operation.success.body["amount"] if operation.success else None
            if found != ("used", operation.user, told):
                yield f"{rule}: {operation.name} succeeded with {told}, the books have {found}"
    for check in books.checks:
        candidates = {
            operation.user for operation in accepts[check.number] if operation.success or operation.is_unknown
        }
        if check.status == "used" and check.acceptor not in candidates:
            yield f"{rule}: {check.number} went to {check.acceptor}, who has no such response"


def _by_number(operations: list[Operation]) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        found[operation.number].append(operation)
    return found


def ended_checks_are_as_reported(books: Books, record: Record) -> Iterator[str]:
    """A confirmed cancellation persists, and every reported ending is true."""
    rule = "a check has the status that clients were told"
    checks = {check.number: check for check in books.checks}
    for operation in record.of_kind("accept", "cancel", "code"):
        is_cancelled = operation.kind == "cancel" and operation.success
        expected = "cancelled" if is_cancelled else REPORTED_STATUS.get(operation.code)
        check = checks.get(operation.number)
        if expected is not None and (check is None or check.status != expected):
            yield f"{rule}: {operation.kind} {operation.name} was reported {expected}, the books have {check}"
        if is_cancelled and check is not None and check.creator != operation.user:
            yield f"{rule}: {operation.name} cancelled {check} of another user"
    requested = {each.number for each in record.of_kind("cancel") if each.success or each.is_unknown}
    for check in books.checks:
        if check.status == "cancelled" and check.number not in requested:
            yield f"{rule}: {check.number} is cancelled without a request"


def codes_are_as_reported(books: Books, record: Record, code_of: Callable[[Check], str] | None = None) -> Iterator[str]:
    """A check has a code that its creator was told, and only such a code accepts it."""
    rule = "a check has the code that its creator was told"
    changes, accepts = _by_number(record.of_kind("code")), _by_number(record.of_kind("accept"))
    checks = {check.number: check for check in books.checks}
    for operation in record.of_kind("create"):
        number, check = operation.number, checks.get(operation.number)
        if not operation.success or check is None:
            continue
        first = str(operation.success.body["code"])
        told = {first, *(str(change.success.body["code"]) for change in changes[number] if change.success)}
        for accept in accepts[number]:
            if accept.success and accept.body["code"] not in told:
                yield f"{rule}: {accept.name} succeeded with {accept.body['code']}, and the codes were {told}"
            if accept.code == "check_not_found" and accept.body["code"] in told and not changes[number]:
                yield f"{rule}: {accept.name} has the right number and code, and got check_not_found"
        # A client whose code change has no response cannot know the current code.
        is_certain = not any(change.is_unknown for change in changes[number])
        if code_of and is_certain and code_of(check) not in (told if changes[number] else {first}):
            yield f"{rule}: {operation.name} was told {told}, and the check has another code"


def topups_are_as_reported(books: Books, record: Record, paid: Collection[str]) -> Iterator[str]:
    """A request creates one top-up; it is paid exactly if its user paid. Each amount of a user is requested once."""
    rule = "a top-up is what its user requested and paid"
    rows: dict[tuple[str, int], list[str]] = defaultdict(list)
    for topup in books.topups:
        rows[topup.user, topup.amount].append(topup.topup_id)
    for operation in record.of_kind("topup"):
        ids = rows.pop((operation.user, operation.body["amount"]), [])
        if len(ids) > 1:
            yield f"{rule}: {operation.name} made {len(ids)} top-ups"
        if operation.success and ids != [operation.success.body["transactionID"]]:
            yield f"{rule}: {operation.name} got {operation.success.body}, the books have {ids}"
    for (user, amount), ids in rows.items():
        yield f"{rule}: top-up {ids[0]} of {amount} for {user} has no request"
    visits = {visit.transaction: visit for visit in record.of_kind(*PAYMENT_PAGE_KINDS)}
    for visit in visits.values():
        is_paid = visit.transaction in paid
        if visit.outcome == "done" and is_paid != (visit.kind == "pay"):
            yield f"{rule}: {visit.kind} {visit.name} ended, and the bank was {'paid' if is_paid else 'not paid'}"
    for transaction in set(paid) - {visit.transaction for visit in visits.values() if visit.kind == "pay"}:
        yield f"{rule}: top-up {transaction} is paid at the bank without a visit"


def balances_are_as_recorded(books: Books, record: Record, paid: Collection[str]) -> Iterator[str]:
    """The balance computed from the responses equals the books and the user's reading.

    The books decide only about operations whose outcome the client does not know.
    """
    rule = "every balance is what the responses to its user make"
    expected = _expected_balances(books, record, paid)
    accounts = {account.user: account.balance for account in books.accounts if account.kind == "user"}
    for user in sorted(record.users):
        found = accounts.get(user, 0)
        if found != expected[user]:
            yield f"{rule}: {user} should have {expected[user]}, the books have {found}"
        if record.balances.get(user, expected[user]) != expected[user]:
            yield f"{rule}: {user} should have {expected[user]}, the response was {record.balances[user]}"


def _expected_balances(books: Books, record: Record, paid: Collection[str]) -> dict[str, int]:
    balance: dict[str, int] = defaultdict(int)
    requested = {each.success.body["transactionID"]: each for each in record.of_kind("topup") if each.success}
    for visit in record.of_kind("pay"):
        if visit.outcome == "done" or visit.transaction in paid:
            balance[visit.user] += requested[visit.transaction].body["amount"]
    notes = {check.note: check for check in books.checks}
    for operation in record.of_kind("create"):
        check = notes.get(operation.name)
        if operation.success or (operation.is_unknown and check is not None and check.status != "rejected"):
            returned = check is not None and check.status in ("cancelled", "expired")
            balance[operation.user] -= 0 if returned else operation.body["amount"]
    checks = {check.number: check for check in books.checks}
    for number, operations in _by_number(record.of_kind("accept")).items():
        for operation in operations:
            if operation.success:
                balance[operation.user] += operation.success.body["amount"]
            elif number in checks and _is_only_explanation(operation, checks[number], operations):
                balance[operation.user] += checks[number].amount
    return balance


def _is_only_explanation(operation: Operation, check: Check, accepts: list[Operation]) -> bool:
    """Return whether this accept without a response is the only one that can have given its user the check."""
    if check.acceptor != operation.user:
        return False
    same = [other for other in accepts if other.user == operation.user]
    return not any(other.success for other in same) and next((o for o in same if o.is_unknown), None) is operation

"""The rules of the ledger, in the code and in the database."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from common.core.clock import SystemClock
from services.balance import service
from services.balance.errors import InsufficientFunds, TimeInFuture, TransferConflict
from services.balance.models import Posting, SystemAccount, TransferKind, system_account_id, user_account_id
from tests.integration.balance.conftest import Ledger
from tests.support.databases import as_owner


def test_accepted_check_moves_money_from_escrow_to_the_acceptor(ledger: Ledger) -> None:
    creator, acceptor = uuid4(), uuid4()
    ledger.top_up(creator, 100_000)
    hold = ledger.hold(creator, 30_000)
    assert (ledger.balance(creator), ledger.balance(acceptor)) == (70_000, 0)
    ledger.end(hold, TransferKind.CHECK_ACCEPTED, acceptor)
    assert (ledger.balance(creator), ledger.balance(acceptor)) == (70_000, 30_000)
    assert ledger.total_of_all_entries() == 0


def test_repeated_transfer_has_no_effect(ledger: Ledger) -> None:
    user = uuid4()
    topup = ledger.top_up(user, 1_000)
    service.credit(ledger.db, topup)
    hold = ledger.hold(user, 400)
    service.debit(ledger.db, hold)
    ledger.end(hold, TransferKind.CHECK_EXPIRED, user)
    ledger.end(hold, TransferKind.CHECK_EXPIRED, user)
    service.debit(ledger.db, hold)
    assert ledger.balance(user) == 1_000


def test_concurrent_repeats_of_a_transfer_take_effect_once(ledger: Ledger) -> None:
    user = uuid4()
    topup = Posting(TransferKind.TOPUP, uuid4(), user, 1_000, "RUB", "t")
    hold = Posting(TransferKind.CHECK_CREATED, uuid4(), user, 300, "RUB", "c")
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: service.credit(ledger.db, topup), range(24)))
        list(pool.map(lambda _: service.debit(ledger.db, hold), range(24)))
    assert ledger.balance(user) == 700


def test_concurrent_holds_do_not_overdraw_the_balance(ledger: Ledger) -> None:
    user = uuid4()
    ledger.top_up(user, 1_000)

    def spend(_: int) -> str:
        try:
            ledger.hold(user, 100)
        except InsufficientFunds:
            return "refused"
        return "held"

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(spend, range(40)))
    assert outcomes == {"held": 10, "refused": 30}
    assert ledger.balance(user) == 0


def test_rejected_hold_stays_rejected_after_a_top_up(ledger: Ledger) -> None:
    user, check_id = uuid4(), uuid4()
    with pytest.raises(InsufficientFunds):
        ledger.hold(user, 500, check_id)
    ledger.top_up(user, 1_000)
    with pytest.raises(InsufficientFunds):
        ledger.hold(user, 500, check_id)
    assert ledger.balance(user) == 1_000


def test_repeated_hold_with_another_amount_is_a_conflict(ledger: Ledger) -> None:
    user = uuid4()
    ledger.top_up(user, 1_000)
    hold = ledger.hold(user, 500)
    with pytest.raises(TransferConflict):
        ledger.hold(user, 400, hold.subject_id)
    assert ledger.balance(user) == 500


@pytest.mark.parametrize(
    "second", [TransferKind.CHECK_EXPIRED, TransferKind.CHECK_CANCELLED, TransferKind.CHECK_ACCEPTED]
)
def test_hold_ends_once(ledger: Ledger, second: TransferKind) -> None:
    creator, acceptor = uuid4(), uuid4()
    ledger.top_up(creator, 500)
    hold = ledger.hold(creator, 500)
    first = TransferKind.CHECK_CANCELLED if second is TransferKind.CHECK_ACCEPTED else TransferKind.CHECK_ACCEPTED
    ledger.end(hold, first, acceptor)
    with pytest.raises(TransferConflict):
        ledger.end(hold, second, creator)
    assert (ledger.balance(creator), ledger.balance(acceptor)) == (0, 500)


def test_concurrent_ends_of_a_hold_take_effect_once(ledger: Ledger) -> None:
    creator, acceptor = uuid4(), uuid4()
    ledger.top_up(creator, 500)
    hold = ledger.hold(creator, 500)

    def end(kind: TransferKind) -> bool:
        try:
            ledger.end(hold, kind, acceptor if kind is TransferKind.CHECK_ACCEPTED else creator)
        except TransferConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(end, [TransferKind.CHECK_ACCEPTED, TransferKind.CHECK_EXPIRED] * 8))
    assert sorted((ledger.balance(creator), ledger.balance(acceptor))) == [0, 500]


@pytest.mark.parametrize("amount_minor", [499, 501])
def test_hold_ends_only_with_its_own_amount(ledger: Ledger, amount_minor: int) -> None:
    user = uuid4()
    ledger.top_up(user, 500)
    hold = ledger.hold(user, 500)
    with pytest.raises(TransferConflict):
        service.credit(ledger.db, Posting(TransferKind.CHECK_ACCEPTED, hold.subject_id, user, amount_minor, "RUB", "x"))
    assert ledger.balance(user) == 0


def test_settlement_without_a_hold_is_rejected(ledger: Ledger) -> None:
    user = uuid4()
    with pytest.raises(TransferConflict):
        service.credit(ledger.db, Posting(TransferKind.CHECK_ACCEPTED, uuid4(), user, 100, "RUB", "x"))
    assert ledger.balance(user) == 0


def test_settlement_of_a_rejected_hold_is_rejected(ledger: Ledger) -> None:
    user, check_id = uuid4(), uuid4()
    with pytest.raises(InsufficientFunds):
        ledger.hold(user, 500, check_id)
    with pytest.raises(TransferConflict):
        service.credit(ledger.db, Posting(TransferKind.CHECK_EXPIRED, check_id, user, 500, "RUB", "x"))
    assert ledger.balance(user) == 0


def test_batch_with_repeats_credits_each_posting_once(ledger: Ledger) -> None:
    users = [uuid4() for _ in range(5)]
    postings = [Posting(TransferKind.TOPUP, uuid4(), users[i % 5], 10 + i, "RUB", "t") for i in range(50)]
    with ledger.db.transaction() as tx:
        service.credit_all(tx, postings + postings[:20])
    with ledger.db.transaction() as tx:
        service.credit_all(tx, postings)
    for number, user in enumerate(users):
        assert ledger.balance(user) == sum(10 + i for i in range(50) if i % 5 == number)
        _assert_running_balances(ledger, user)


def _assert_running_balances(ledger: Ledger, user: UUID) -> None:
    lines = list(reversed(service.get_statement(ledger.db, user, "RUB", 500, None).items))
    running = 0
    for line in lines:
        running += line.amount_minor
        assert line.balance_after == running


def test_running_balances_are_correct_after_concurrent_batches_and_debits(ledger: Ledger) -> None:
    users = [uuid4() for _ in range(4)]
    for user in users:
        ledger.top_up(user, 10_000)

    def work(number: int) -> None:
        if number % 2:
            ledger.hold(users[number % 4], 7)
        else:
            with ledger.db.transaction() as tx:
                service.credit_all(
                    tx, [Posting(TransferKind.TOPUP, uuid4(), users[i % 4], 3, "RUB", "t") for i in range(8)]
                )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))
    for user in users:
        _assert_running_balances(ledger, user)
    assert ledger.total_of_all_entries() == 0


def test_concurrent_first_credits_of_new_users_all_take_effect(ledger: Ledger) -> None:
    """All threads open the same accounts in the same order, so each account is contended."""
    users = [uuid4() for _ in range(60)]
    threads = 8
    start = Barrier(threads)

    def credit_all_users(_: int) -> None:
        start.wait()
        for user in users:
            ledger.top_up(user, 1)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(credit_all_users, range(threads)))
    assert [ledger.balance(user) for user in users] == [threads] * len(users)


def test_balance_can_be_read_at_a_past_time(ledger: Ledger) -> None:
    user = uuid4()
    ledger.top_up(user, 700)
    now = datetime.now(UTC)
    clock = SystemClock()
    assert service.get_balance(ledger.db, clock, user, "RUB", now - timedelta(days=1)) == 0
    assert service.get_balance(ledger.db, clock, user, "RUB", now) == 700
    with pytest.raises(TimeInFuture):
        service.get_balance(ledger.db, clock, user, "RUB", now + timedelta(hours=1))


def test_pages_of_the_statement_have_no_gap_and_no_overlap(ledger: Ledger) -> None:
    user = uuid4()
    for amount in range(1, 8):
        ledger.top_up(user, amount)
    seen: list[int] = []
    cursor = None
    while True:
        page = service.get_statement(ledger.db, user, "RUB", 3, cursor)
        seen += [line.amount_minor for line in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_statement_of_a_period_includes_its_start_and_not_its_end(ledger: Ledger) -> None:
    user = uuid4()
    for amount in range(1, 8):
        ledger.top_up(user, amount)
    lines = service.get_statement(ledger.db, user, "RUB", 10, None).items
    assert len({line.created_at for line in lines}) == len(lines)
    instants = [None, *(line.created_at for line in lines)]
    for since in instants:
        for until in instants:
            expected = [
                line.amount_minor
                for line in lines
                if (since is None or line.created_at >= since) and (until is None or line.created_at < until)
            ]
            page = service.get_statement(ledger.db, user, "RUB", 10, None, since=since, until=until)
            assert [line.amount_minor for line in page.items] == expected, (since, until)
    second = service.get_statement(
        ledger.db, user, "RUB", 2, None, since=lines[-1].created_at, until=lines[0].created_at
    )
    third = service.get_statement(ledger.db, user, "RUB", 2, second.next_cursor, until=lines[0].created_at)
    assert [line.amount_minor for line in (*second.items, *third.items)] == [6, 5, 4, 3]
    nobody = service.get_statement(ledger.db, uuid4(), "RUB", 10, None, since=lines[0].created_at)
    assert nobody.items == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfers SET amount_minor = amount_minor + 1",
        "DELETE FROM transfers",
        "TRUNCATE transfers, entries",
        "UPDATE entries SET amount_minor = amount_minor + 1",
        "DELETE FROM entries",
        "DELETE FROM accounts",
        "UPDATE accounts SET balance_minor = -1 WHERE kind = 'user'",
        "UPDATE accounts SET balance_minor = 5 WHERE kind = 'escrow'",
        "UPDATE accounts SET balance_minor = NULL WHERE kind = 'user'",
    ],
)
def test_database_rejects_changes_to_the_ledger(ledger: Ledger, statement: str) -> None:
    ledger.top_up(uuid4(), 100)
    with pytest.raises(IntegrityError), as_owner(ledger.db) as tx:
        tx.execute(text(statement))
    assert ledger.total_of_all_entries() == 0


_TRANSFER = """
    INSERT INTO transfers (transfer_id, kind, outcome, subject_id, user_id, amount_minor, currency, reference)
    VALUES (:transfer_id, 'topup', 'posted', :transfer_id, :user_id, 100, 'RUB', 'x')
"""


@pytest.mark.parametrize(
    ("user_leg", "bank_leg"),
    [
        ({"amount": 100, "currency": "RUB", "after": 200}, {"amount": -99, "currency": "RUB", "after": None}),
        ({"amount": 99, "currency": "RUB", "after": 199}, {"amount": -99, "currency": "RUB", "after": None}),
        ({"amount": 100, "currency": "USD", "after": 200}, {"amount": -100, "currency": "RUB", "after": None}),
        ({"amount": 100, "currency": "USD", "after": 200}, {"amount": -100, "currency": "USD", "after": None}),
        ({"amount": 100, "currency": "RUB", "after": None}, {"amount": -100, "currency": "RUB", "after": None}),
        ({"amount": 100, "currency": "RUB", "after": -1}, {"amount": -100, "currency": "RUB", "after": None}),
    ],
)
def test_database_rejects_entries_that_do_not_balance(
    ledger: Ledger, user_leg: dict[str, object], bank_leg: dict[str, object]
) -> None:
    user = uuid4()
    ledger.top_up(user, 100)
    statement = f"""
        WITH t AS ({_TRANSFER} RETURNING transfer_id)
        INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after)
        SELECT transfer_id, CAST(:account AS uuid), :a1, :c1, CAST(:b1 AS bigint) FROM t
        UNION ALL SELECT transfer_id, CAST(:bank AS uuid), :a2, :c2, CAST(:b2 AS bigint) FROM t
    """  # noqa: S608
    with pytest.raises(IntegrityError), ledger.db.autocommit() as tx:
        tx.execute(
            text(statement),
            {
                "transfer_id": uuid4(),
                "user_id": user,
                "account": user_account_id(user, "RUB"),
                "bank": system_account_id(SystemAccount.BANK, "RUB"),
                "a1": user_leg["amount"],
                "c1": user_leg["currency"],
                "b1": user_leg["after"],
                "a2": bank_leg["amount"],
                "c2": bank_leg["currency"],
                "b2": bank_leg["after"],
            },
        )
    assert len(service.get_statement(ledger.db, user, "RUB", 10, None).items) == 1


def test_database_rejects_a_transfer_without_entries(ledger: Ledger) -> None:
    with pytest.raises(IntegrityError), ledger.db.autocommit() as tx:
        tx.execute(text(_TRANSFER), {"transfer_id": uuid4(), "user_id": uuid4()})


def test_database_rejects_a_later_entry_of_an_existing_transfer(ledger: Ledger) -> None:
    posting = ledger.top_up(uuid4(), 100)
    with pytest.raises(IntegrityError), ledger.db.autocommit() as tx:
        tx.execute(
            text("INSERT INTO entries (transfer_id, account_id, amount_minor, currency) VALUES (:t, :a, 5, 'RUB')"),
            {"t": posting.transfer_id, "a": system_account_id(SystemAccount.ESCROW, "RUB")},
        )

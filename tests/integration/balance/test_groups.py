"""Groups of debits and credits: what a group may decide, and what it must leave to a transaction of its own."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from common.core.grouping import ALONE, GroupRunner
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import repository, service
from services.balance.config import BalanceSettings
from services.balance.context import Context
from services.balance.errors import InsufficientFunds, TransferConflict
from services.balance.models import Posting, TransferKind, user_account_id
from tests.integration.balance.conftest import Ledger


def _hold(user_id: UUID, amount_minor: int, check_id: UUID | None = None) -> Posting:
    return Posting(TransferKind.CHECK_CREATED, check_id or uuid4(), user_id, amount_minor, "RUB", "0000-0000-0001")


def _settle(hold: Posting, user_id: UUID, kind: TransferKind = TransferKind.CHECK_ACCEPTED) -> Posting:
    return Posting(kind, hold.subject_id, user_id, hold.amount_minor, "RUB", hold.reference)


def _user(ledger: Ledger, amount_minor: int) -> UUID:
    user_id = uuid4()
    ledger.top_up(user_id, amount_minor)
    return user_id


def _assert_running_balances(ledger: Ledger, user_id: UUID) -> None:
    """Check that ``balance_after`` follows from the entries in the order of their ids."""
    lines = list(reversed(service.get_statement(ledger.db, user_id, "RUB", 500, None).items))
    running = 0
    for line in lines:
        running += line.amount_minor
        assert line.balance_after == running
    assert ledger.balance(user_id) == running


def _outcome_of(ledger: Ledger, posting: Posting) -> str | None:
    with ledger.db.autocommit() as tx:
        found = repository.find_outcome(tx, posting)
    return found[0] if found else None


# -- debits


def test_group_posts_holds_of_several_users_in_one_transaction(ledger: Ledger) -> None:
    users = [_user(ledger, 1_000) for _ in range(17)]
    holds = [_hold(user, 10 + number) for number, user in enumerate(users)]
    assert service.debit_many(ledger.db, holds) == [None] * 17
    assert [ledger.balance(user) for user in users] == [990 - number for number in range(17)]
    with ledger.db.autocommit() as tx:
        writers = tx.execute(text("SELECT count(DISTINCT xmin::text) FROM transfers WHERE kind = 'check_created'"))
        assert writers.scalar_one() == 1
    assert ledger.total_of_all_entries() == 0


def test_group_refuses_nothing_that_the_balance_covers_only_beside_others(ledger: Ledger) -> None:
    """A refusal is final, so it must not depend on who else is in the group: 100 on the account, 150 and 50."""
    user = _user(ledger, 100)
    holds = [_hold(user, 150), _hold(user, 50)]
    assert service.debit_many(ledger.db, holds) == [ALONE, None]
    assert _outcome_of(ledger, holds[0]) is None, "a group must not store a refusal"
    ledger.top_up(user, 100)
    service.debit(ledger.db, holds[0])
    assert ledger.balance(user) == 0


def test_group_leaves_a_hold_that_no_longer_fits_to_run_alone(ledger: Ledger) -> None:
    user = _user(ledger, 100)
    holds = [_hold(user, 60), _hold(user, 60), _hold(user, 30)]
    assert service.debit_many(ledger.db, holds) == [None, ALONE, None]
    with pytest.raises(InsufficientFunds):
        service.debit(ledger.db, holds[1])
    assert ledger.balance(user) == 10


def test_entries_of_one_account_in_a_group_have_running_balances_in_the_order_of_their_ids(ledger: Ledger) -> None:
    user, other = _user(ledger, 10_000), _user(ledger, 10_000)
    for _ in range(5):
        holds = [_hold(user if number % 3 else other, number + 1) for number in range(40)]
        assert service.debit_many(ledger.db, holds) == [None] * 40
        assert service.credit_many(ledger.db, [_settle(hold, user) for hold in holds]) == [None] * 40
    _assert_running_balances(ledger, user)
    _assert_running_balances(ledger, other)


def test_same_hold_twice_in_a_group_is_posted_once_and_the_second_runs_alone(ledger: Ledger) -> None:
    user = _user(ledger, 100)
    hold = _hold(user, 30)
    # The second hold must not reserve money either: 100 covers 30 and 60.
    assert service.debit_many(ledger.db, [hold, hold, _hold(user, 60)]) == [None, ALONE, None]
    service.debit(ledger.db, hold)
    assert ledger.balance(user) == 10


def test_hold_that_is_posted_or_refused_already_runs_alone(ledger: Ledger) -> None:
    user = _user(ledger, 100)
    posted, refused = ledger.hold(user, 30), _hold(user, 1_000)
    with pytest.raises(InsufficientFunds):
        service.debit(ledger.db, refused)
    ledger.top_up(user, 10_000)
    fresh = _hold(user, 5)
    assert service.debit_many(ledger.db, [posted, refused, fresh]) == [ALONE, ALONE, None]
    assert ledger.balance(user) == 10_065
    _assert_running_balances(ledger, user)


def test_hold_of_a_user_without_an_account_runs_alone(ledger: Ledger) -> None:
    user = _user(ledger, 100)
    assert service.debit_many(ledger.db, [_hold(uuid4(), 1), _hold(user, 1)]) == [ALONE, None]


def test_group_does_not_wait_for_a_locked_account(ledger: Ledger) -> None:
    locked, free = _user(ledger, 100), _user(ledger, 100)
    with ledger.db.transaction() as other:
        statement = text("SELECT 1 FROM accounts WHERE account_id = :account_id FOR UPDATE")
        other.execute(statement, {"account_id": user_account_id(locked, "RUB")})
        started_at = time.monotonic()
        assert service.debit_many(ledger.db, [_hold(locked, 1), _hold(free, 1)]) == [ALONE, None]
        assert time.monotonic() - started_at < 1.5, "the lock time-out is 2 seconds"
    assert (ledger.balance(locked), ledger.balance(free)) == (100, 99)


# -- credits


def test_group_settles_checks_and_leaves_repeats_to_run_alone(ledger: Ledger) -> None:
    creator, acceptor = _user(ledger, 1_000), uuid4()
    holds = [ledger.hold(creator, 10) for _ in range(5)]
    settlements = [_settle(hold, acceptor) for hold in holds]
    service.credit(ledger.db, settlements[4])
    assert service.credit_many(ledger.db, [*settlements, settlements[0]]) == [None, None, None, None, ALONE, ALONE]
    service.credit(ledger.db, settlements[4])
    assert ledger.balance(acceptor) == 50
    _assert_running_balances(ledger, acceptor)


def test_two_ends_of_one_hold_in_a_group_are_one_end(ledger: Ledger) -> None:
    creator, acceptor = _user(ledger, 100), uuid4()
    hold = ledger.hold(creator, 100)
    ends = [_settle(hold, acceptor), _settle(hold, creator, TransferKind.CHECK_CANCELLED)]
    outcomes = service.credit_many(ledger.db, ends)
    assert sorted(outcomes, key=str) == [ALONE, None]
    with pytest.raises(TransferConflict):
        service.credit(ledger.db, ends[outcomes.index(ALONE)])
    assert sorted((ledger.balance(creator), ledger.balance(acceptor))) == [0, 100]


def test_credit_that_contradicts_the_ledger_sends_its_whole_group_alone(ledger: Ledger) -> None:
    creator, acceptor = _user(ledger, 100), uuid4()
    good, bad = ledger.hold(creator, 10), _hold(creator, 10)
    postings = [_settle(good, acceptor), _settle(bad, acceptor)]
    assert service.credit_many(ledger.db, postings) == [ALONE, ALONE]
    assert ledger.balance(acceptor) == 0, "the group was rolled back"
    service.credit(ledger.db, postings[0])
    with pytest.raises(TransferConflict):
        service.credit(ledger.db, postings[1])
    assert ledger.balance(acceptor) == 10


def test_groups_that_credit_the_same_accounts_in_any_order_do_not_deadlock(ledger: Ledger) -> None:
    users = [uuid4() for _ in range(12)]

    def credit(number: int) -> int:
        order = users if number % 2 else users[::-1]
        group = [Posting(TransferKind.TOPUP, uuid4(), user, 1, "RUB", "t") for user in order]
        return service.credit_many(ledger.db, group).count(None)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(credit, range(60))) == 60 * 12
    assert [ledger.balance(user) for user in users] == [60] * 12
    with ledger.db.autocommit() as tx:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert tx.execute(text(deadlocks)).scalar_one() == 0


# -- failures


def _ends_its_backend(tx: Connection, _postings: Sequence[Posting]) -> set[UUID]:
    tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    raise AssertionError("the connection must be lost")


def test_group_whose_connection_is_lost_raises_and_has_no_effect(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = _user(ledger, 100)
    monkeypatch.setattr(repository, "debit_many", _ends_its_backend)
    with pytest.raises(DBAPIError) as raised:
        service.debit_many(ledger.db, [_hold(user, 1), _hold(user, 2)])
    assert raised.value.connection_invalidated
    monkeypatch.undo()
    assert ledger.balance(user) == 100


def test_group_that_the_server_rolls_back_runs_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    user = _user(ledger, 100)

    def violates_a_rule(tx: Connection, _postings: Sequence[Posting]) -> set[UUID]:
        tx.execute(text("UPDATE accounts SET balance_minor = -1 WHERE kind = 'user'"))
        return set()

    monkeypatch.setattr(repository, "debit_many", violates_a_rule)
    assert service.debit_many(ledger.db, [_hold(user, 1), _hold(user, 2)]) == [ALONE, ALONE]
    assert ledger.balance(user) == 100


# -- many threads


@pytest.fixture
def context(make_database: Callable[[str], str]) -> Iterator[Context]:
    """A context in which every request joins a group."""
    url = make_database("balance")
    settings = BalanceSettings(
        balance_database_url=SecretStr(url),
        balance_token_key=SecretStr("unused"),
        broker_url=SecretStr("redis://127.0.0.1:1/0"),
        token_public_keys={},
    )
    opened = Context.open(settings, "test")
    yield Context(
        opened.db, opened.clock, GroupRunner("debit", ungrouped=0), GroupRunner("credit", ungrouped=0), settings
    )
    opened.db.dispose()


def test_concurrent_holds_and_settlements_in_groups_neither_lose_nor_create_money(context: Context) -> None:
    ledger = Ledger(context.db)
    users = [_user(ledger, 1_000) for _ in range(3)]

    def spend(number: int) -> str:
        hold = _hold(users[number % 3], 100)
        try:
            service.hold(context, hold)
        except InsufficientFunds:
            return "refused"
        service.end_hold(context, _settle(hold, users[(number + 1) % 3], TransferKind.CHECK_ACCEPTED))
        return "settled"

    with ThreadPoolExecutor(32) as threads:
        outcomes = Counter(threads.map(spend, range(192)))
    assert set(outcomes) <= {"settled", "refused"}
    assert outcomes["settled"] >= 30
    assert sum(ledger.balance(user) for user in users) == 3_000
    assert ledger.total_of_all_entries() == 0
    for user in users:
        _assert_running_balances(ledger, user)


def test_overdraft_is_refused_when_many_spend_in_groups(context: Context) -> None:
    ledger = Ledger(context.db)
    user = _user(ledger, 1_000)

    def spend(_: int) -> str:
        try:
            service.hold(context, _hold(user, 100))
        except InsufficientFunds:
            return "refused"
        return "held"

    with ThreadPoolExecutor(32) as threads:
        outcomes = Counter(threads.map(spend, range(64)))
    assert outcomes == {"held": 10, "refused": 54}
    assert ledger.balance(user) == 0


def test_grouping_can_be_turned_off(make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCHECK_GROUP_COMMIT", "false")
    url = make_database("balance")
    settings = BalanceSettings(
        balance_database_url=SecretStr(url),
        balance_token_key=SecretStr("unused"),
        broker_url=SecretStr("redis://127.0.0.1:1/0"),
        token_public_keys={},
    )
    context = Context.open(settings, "test")
    ledger = Ledger(Database(url, settings=DatabaseSettings(), application_name="test"))
    user = _user(ledger, 1_000)
    monkeypatch.setattr(service, "debit_many", lambda *_: pytest.fail("a group was run"))
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: service.hold(context, _hold(user, 1)), range(64)))
    assert ledger.balance(user) == 936
    context.db.dispose()
    ledger.db.dispose()

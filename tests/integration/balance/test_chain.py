"""The hash chain covers every transfer once, by number, in any order of commits."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import chain, chain_repository, service
from services.balance.errors import InsufficientFunds
from services.balance.models import Posting, TransferKind
from tests.integration.balance.conftest import Ledger
from tests.support.databases import as_owner
from tests.support.eventually import eventually


def _numbers(db: Database, query: str) -> list[int]:
    with db.autocommit() as tx:
        return [int(row[0]) for row in tx.execute(text(query))]


def _linked(ledger: Ledger) -> list[int]:
    return _numbers(ledger.db, "SELECT transfer_no FROM chain_links ORDER BY transfer_no")


def _all_numbers(ledger: Ledger) -> list[int]:
    return _numbers(ledger.db, "SELECT transfer_no FROM transfers ORDER BY transfer_no")


def test_each_transfer_is_sealed_once_including_a_rejected_one(ledger: Ledger) -> None:
    user = uuid4()
    ledger.top_up(user, 100)
    hold = ledger.hold(user, 60)
    with pytest.raises(InsufficientFunds):
        ledger.hold(user, 60)
    first = chain.seal(ledger.db)
    ledger.end(hold, TransferKind.CHECK_EXPIRED, user)
    second = chain.seal(ledger.db)
    assert [block.transfers for block in first + second] == [3, 1]
    assert _linked(ledger) == _all_numbers(ledger)


def test_no_block_is_created_without_new_transfers(ledger: Ledger) -> None:
    assert chain.seal(ledger.db) == []
    ledger.top_up(uuid4(), 1)
    assert len(chain.seal(ledger.db)) == 1
    assert chain.seal(ledger.db) == []


def test_blocks_are_bounded_and_numbered_without_gaps(ledger: Ledger) -> None:
    for _ in range(7):
        ledger.top_up(uuid4(), 5)
    blocks = chain.seal(ledger.db, block_size=3)
    assert [(block.block_no, block.transfers) for block in blocks] == [(1, 3), (2, 3), (3, 1)]
    assert len({block.hash for block in blocks}) == 3
    with ledger.db.autocommit() as tx:
        rows = list(tx.execute(text("SELECT previous_hash, hash FROM chain_blocks ORDER BY block_no")))
    assert [bytes(row.previous_hash) for row in rows] == [chain_repository.GENESIS, *(b.hash for b in blocks[:-1])]


def test_block_hash_covers_the_previous_hash_and_its_links(ledger: Ledger) -> None:
    """The test computes the hash in Python from the rows."""
    ledger.top_up(uuid4(), 5)
    ledger.top_up(uuid4(), 6)
    (block,) = chain.seal(ledger.db)
    with ledger.db.autocommit() as tx:
        links = [row.hash for row in tx.execute(text("SELECT hash FROM chain_links ORDER BY transfer_no"))]
        times = tx.execute(
            text(
                "SELECT timestamptz_send(sealed_at) AS sealed, timestamptz_send(complete_at) AS done FROM chain_blocks"
            )
        ).one()
    content = bytes(32) + (1).to_bytes(8, "big") + block.last_no.to_bytes(8, "big") + (2).to_bytes(4, "big")
    content += bytes(times.sealed) + b"\x01" + bytes(times.done)
    assert block.hash == hashlib.sha256(content + b"".join(map(bytes, links))).digest()


@contextmanager
def _unfinished_topup(ledger: Ledger) -> Iterator[Connection]:
    """Insert a transfer that has its number and stays uncommitted until the block ends."""
    with ledger.db.transaction() as tx:
        service.credit_all(tx, [Posting(TransferKind.TOPUP, uuid4(), uuid4(), 10, "RUB", "late")])
        yield tx


def test_sealing_waits_for_an_open_transaction_with_a_lower_number(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls: list[set[str]] = []

    def poll(tx: Connection) -> set[str]:
        polls.append(real_poll(tx))
        return polls[-1]

    real_poll = chain_repository.writers
    monkeypatch.setattr(chain_repository, "writers", poll)
    with ThreadPoolExecutor(1) as pool:
        with _unfinished_topup(ledger):
            ledger.top_up(uuid4(), 20)
            sealing = pool.submit(chain.seal, ledger.db)
            eventually(lambda: len(polls) > 3)
            assert not sealing.done()
        blocks = sealing.result(timeout=10)
    assert [block.transfers for block in blocks] == [2]
    assert _linked(ledger) == _all_numbers(ledger) == [1, 2]


def test_rolled_back_transfer_leaves_a_gap(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), _unfinished_topup(ledger):
        raise RuntimeError
    ledger.top_up(uuid4(), 20)
    (block,) = chain.seal(ledger.db)
    assert (block.transfers, block.last_no, _linked(ledger)) == (1, 2, [2])


def test_sealing_is_postponed_when_a_transaction_stays_open(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "WAIT_FOR_WRITERS_SECONDS", 0.1)
    with _unfinished_topup(ledger):
        ledger.top_up(uuid4(), 20)
        assert chain.seal(ledger.db) == []
    assert [block.transfers for block in chain.seal(ledger.db)] == [2]


def test_sealing_does_not_block_transfers(ledger: Ledger) -> None:
    user = uuid4()
    ledger.top_up(user, 100)
    with ledger.db.transaction() as tx:
        assert chain_repository.try_lock_chain(tx)
        chain_repository.seal_next_block(tx, upto=chain_repository.last_number_drawn(tx), limit=10)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(ledger.hold, user, 10).result(timeout=5)


def test_concurrent_sealers_and_writers_seal_each_transfer_once(large_ledger: Ledger) -> None:
    ledger = large_ledger
    users = [uuid4() for _ in range(4)]
    for user in users:
        ledger.top_up(user, 1_000)
    stop = Event()

    def keep_sealing(_: int) -> int:
        sealed = 0
        while not stop.is_set():
            sealed += sum(block.transfers for block in chain.seal(ledger.db, block_size=7))
        return sealed

    def write(number: int) -> None:
        if number % 3:
            ledger.hold(users[number % 4], 1)
        else:
            with ledger.db.transaction() as tx:
                postings = [Posting(TransferKind.TOPUP, uuid4(), users[i % 4], 1, "RUB", "t") for i in range(5)]
                service.credit_all(tx, postings)

    with ThreadPoolExecutor(11) as pool:
        sealers = [pool.submit(keep_sealing, i) for i in range(3)]
        list(pool.map(write, range(200)))
        stop.set()
        sealed = sum(sealer.result() for sealer in sealers)
    sealed += sum(block.transfers for block in chain.seal(ledger.db))
    assert _linked(ledger) == _all_numbers(ledger)
    assert sealed == len(_all_numbers(ledger))
    # Numbers grow from block to block: no transfer was added behind a sealed one.
    assert _numbers(ledger.db, "SELECT block_no FROM chain_links ORDER BY transfer_no") == sorted(
        _numbers(ledger.db, "SELECT block_no FROM chain_links")
    )


@pytest.fixture
def large_ledger(ledger: Ledger) -> Iterator[Ledger]:
    """The ledger with a pool that is large enough for all threads."""
    db = Database(ledger.db.url, settings=DatabaseSettings(database_pool_size=24), application_name="test")
    yield Ledger(db)
    db.dispose()


@pytest.mark.parametrize("table", ["chain_blocks", "chain_links"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET block_no = block_no", "DELETE FROM {}", "TRUNCATE {}"])
def test_database_rejects_changes_to_the_chain(ledger: Ledger, table: str, statement: str) -> None:
    ledger.top_up(uuid4(), 5)
    chain.seal(ledger.db)
    with pytest.raises(IntegrityError), as_owner(ledger.db) as tx:
        tx.execute(text(statement.format(table)))

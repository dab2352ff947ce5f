"""The inbox: each event once, poison set apart, nothing held up by it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from common.bus import dead_letters
from common.bus.inbox import Inbox
from common.contracts.envelope import Envelope
from common.contracts.events import PaymentConfirmed, pack
from common.db.connection import Connection
from common.db.engine import Database

MAX_ATTEMPTS = 3


@pytest.fixture
def effects(subscriber_db: Database) -> Database:
    """A table that counts how often each event took effect."""
    with subscriber_db.autocommit() as tx:
        tx.execute(text("CREATE TABLE effects (topup_id uuid NOT NULL)"))
    return subscriber_db


def _apply(tx: Connection, events: Sequence[PaymentConfirmed]) -> None:
    if any(event.amount_minor == 13 for event in events):
        raise ValueError("thirteen is poison")
    for event in events:
        tx.execute(text("INSERT INTO effects VALUES (:id)"), {"id": event.topup_id})


def _inbox(db: Database) -> Inbox:
    return Inbox(db, {PaymentConfirmed.TYPE: _apply}, max_attempts=MAX_ATTEMPTS)


def _event(amount_minor: int = 100) -> Envelope:
    return pack(PaymentConfirmed(uuid4(), uuid4(), "tbank", amount_minor, "RUB", datetime.now(UTC)))


def _effects(db: Database) -> list[UUID]:
    with db.autocommit() as tx:
        return [row.topup_id for row in tx.execute(text("SELECT topup_id FROM effects"))]


def test_a_batch_takes_effect_and_is_reported(effects: Database) -> None:
    batch = [_event() for _ in range(20)]
    finished = _inbox(effects).receive("payments", batch)
    assert set(finished) == {e.event_id for e in batch}
    assert len(_effects(effects)) == 20


def test_twice_is_once_and_is_reported_again(effects: Database) -> None:
    batch = [_event() for _ in range(5)]
    inbox = _inbox(effects)
    inbox.receive("payments", batch)
    again = inbox.receive("payments", [*batch, batch[0]])
    assert set(again) == {e.event_id for e in batch}
    assert len(_effects(effects)) == 5


def test_twice_at_once_is_once(effects: Database) -> None:
    batch = [_event() for _ in range(10)]
    inbox = _inbox(effects)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: inbox.receive("payments", batch), range(16)))
    assert len(_effects(effects)) == 10


def test_poison_does_not_hold_back_its_batch(effects: Database) -> None:
    good, poison = [_event() for _ in range(4)], _event(13)
    finished = _inbox(effects).receive("payments", [good[0], good[1], poison, good[2], good[3]])
    assert set(finished) == {e.event_id for e in good}
    assert len(_effects(effects)) == 4


def test_poison_is_parked_after_bounded_attempts_and_reported_then(effects: Database) -> None:
    poison = _event(13)
    inbox = _inbox(effects)
    outcomes = [inbox.receive("payments", [poison]) for _ in range(MAX_ATTEMPTS + 1)]
    assert outcomes == [[], [], [poison.event_id], [poison.event_id]]
    with effects.autocommit() as tx:
        (letter,) = dead_letters.list_open(tx, limit=10)
    assert letter.event_id == poison.event_id
    assert "thirteen is poison" in letter.error


def test_an_event_that_kills_its_worker_is_parked_without_being_run_again(effects: Database) -> None:
    """Attempts are committed before the handler runs, so a death leaves its mark."""
    deadly = _event()
    runs: list[int] = []

    def die(_tx: Connection, _events: Sequence[PaymentConfirmed]) -> None:
        runs.append(1)
        raise SystemExit  # what os._exit leaves behind, as far as the database can tell: no commit, no record

    inbox = Inbox(effects, {PaymentConfirmed.TYPE: die}, max_attempts=MAX_ATTEMPTS)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(SystemExit):
            inbox.receive("payments", [deadly])
    assert inbox.receive("payments", [deadly]) == [], "whoever made the last attempt may still be at it"
    with effects.autocommit() as tx:
        tx.execute(text("UPDATE inbox SET tried_at = now() - interval '11 seconds'"))
    assert inbox.receive("payments", [deadly]) == [deadly.event_id]
    assert inbox.receive("payments", [deadly]) == [deadly.event_id]
    assert len(runs) == MAX_ATTEMPTS
    with effects.autocommit() as tx:
        (letter,) = dead_letters.list_open(tx, limit=10)
    assert (letter.event_id, letter.attempts) == (deadly.event_id, MAX_ATTEMPTS)
    assert letter.error == "the worker died while it handled this event"


def test_an_unknown_type_and_a_broken_payload_are_poison(effects: Database) -> None:
    unknown = Envelope(uuid4(), "moon.landed.v1", datetime.now(UTC), {})
    broken = Envelope(uuid4(), PaymentConfirmed.TYPE, datetime.now(UTC), {"amount_minor": "many"})
    inbox = _inbox(effects)
    for _ in range(MAX_ATTEMPTS):
        inbox.receive("payments", [unknown, broken])
    with effects.autocommit() as tx:
        assert {letter.event_id for letter in dead_letters.list_open(tx, limit=10)} == {
            unknown.event_id,
            broken.event_id,
        }


def test_an_operator_replays_a_parked_event(effects: Database) -> None:
    poison = _event(13)
    inbox = _inbox(effects)
    for _ in range(MAX_ATTEMPTS):
        inbox.receive("payments", [poison])
    with effects.transaction() as tx:
        released = dead_letters.release(tx, poison.event_id, reason="the handler is mended")
    assert released is not None
    source, wire = released
    mended = Inbox(effects, {PaymentConfirmed.TYPE: lambda _tx, _events: None}, max_attempts=MAX_ATTEMPTS)
    assert mended.receive(source, [Envelope.from_wire(wire)]) == [poison.event_id]
    with effects.autocommit() as tx:
        assert dead_letters.list_open(tx, limit=10) == []


def test_an_operator_discards_a_parked_event_once(effects: Database) -> None:
    poison = _event(13)
    inbox = _inbox(effects)
    for _ in range(MAX_ATTEMPTS):
        inbox.receive("payments", [poison])
    with effects.transaction() as tx:
        assert dead_letters.discard(tx, poison.event_id, reason="paid by hand")
        assert not dead_letters.discard(tx, poison.event_id, reason="again")
    assert inbox.receive("payments", [poison]) == [poison.event_id]
    assert _effects(effects) == []

"""The inbox: each event takes effect once; a failing event is parked and delays no other."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from common.bus import dead_letters
from common.bus.inbox import Inbox, purge_processed, purge_unprocessed
from common.contracts.envelope import Envelope
from common.contracts.events import PaymentConfirmed, pack
from common.db.engine import Database
from tests.support.databases import as_owner

MAX_ATTEMPTS = 3


@pytest.fixture
def effects(subscriber_db: Database) -> Database:
    """Create a table with one row for each time an event takes effect."""
    with as_owner(subscriber_db) as tx:
        tx.execute(text("CREATE TABLE effects (topup_id uuid NOT NULL)"))
        tx.execute(text("GRANT SELECT, INSERT ON effects TO PUBLIC"))
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


def test_batch_takes_effect_and_is_reported(effects: Database) -> None:
    batch = [_event() for _ in range(20)]
    finished = _inbox(effects).receive("payments", batch)
    assert set(finished) == {e.event_id for e in batch}
    assert len(_effects(effects)) == 20


def test_repeated_batch_has_no_effect_and_is_reported_again(effects: Database) -> None:
    batch = [_event() for _ in range(5)]
    inbox = _inbox(effects)
    inbox.receive("payments", batch)
    repeat = inbox.receive("payments", [*batch, batch[0]])
    assert set(repeat) == {e.event_id for e in batch}
    assert len(_effects(effects)) == 5


def test_concurrent_repeats_take_effect_once(effects: Database) -> None:
    batch = [_event() for _ in range(10)]
    inbox = _inbox(effects)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: inbox.receive("payments", batch), range(16)))
    assert len(_effects(effects)) == 10


def test_failing_event_does_not_affect_the_rest_of_its_batch(effects: Database) -> None:
    good, poison = [_event() for _ in range(4)], _event(13)
    finished = _inbox(effects).receive("payments", [good[0], good[1], poison, good[2], good[3]])
    assert set(finished) == {e.event_id for e in good}
    assert len(_effects(effects)) == 4


def test_failing_event_is_parked_and_reported_after_its_attempts(effects: Database) -> None:
    poison = _event(13)
    inbox = _inbox(effects)
    outcomes = [inbox.receive("payments", [poison]) for _ in range(MAX_ATTEMPTS + 1)]
    assert outcomes == [[], [], [poison.event_id], [poison.event_id]]
    with effects.autocommit() as tx:
        (letter,) = dead_letters.list_open(tx, limit=10)
    assert letter.event_id == poison.event_id
    assert "thirteen is poison" in letter.error


def test_event_that_kills_its_worker_is_parked_after_its_attempts(effects: Database) -> None:
    """Attempts are committed before the handler runs, so those of a killed worker count."""
    deadly = _event()
    runs: list[int] = []

    def die(_tx: Connection, _events: Sequence[PaymentConfirmed]) -> None:
        runs.append(1)
        raise SystemExit  # the database state is that after os._exit: no commit, no record

    inbox = Inbox(effects, {PaymentConfirmed.TYPE: die}, max_attempts=MAX_ATTEMPTS)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(SystemExit):
            inbox.receive("payments", [deadly])
    assert inbox.receive("payments", [deadly]) == [], "the last attempt may still be in progress"
    with effects.autocommit() as tx:
        tx.execute(text("UPDATE inbox SET tried_at = now() - interval '11 seconds'"))
    assert inbox.receive("payments", [deadly]) == [deadly.event_id]
    assert inbox.receive("payments", [deadly]) == [deadly.event_id]
    assert len(runs) == MAX_ATTEMPTS
    with effects.autocommit() as tx:
        (letter,) = dead_letters.list_open(tx, limit=10)
    assert (letter.event_id, letter.attempts) == (deadly.event_id, MAX_ATTEMPTS)
    assert letter.error == "the worker died while it handled this event"


def test_unknown_type_and_invalid_payload_are_parked(effects: Database) -> None:
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


def test_operator_replays_a_parked_event(effects: Database) -> None:
    poison = _event(13)
    inbox = _inbox(effects)
    for _ in range(MAX_ATTEMPTS):
        inbox.receive("payments", [poison])
    with effects.transaction() as tx:
        released = dead_letters.release(tx, poison.event_id, reason="the handler is fixed")
    assert released is not None
    source, wire = released
    fixed = Inbox(effects, {PaymentConfirmed.TYPE: lambda _tx, _events: None}, max_attempts=MAX_ATTEMPTS)
    assert fixed.receive(source, [Envelope.from_wire(wire)]) == [poison.event_id]
    with effects.autocommit() as tx:
        assert dead_letters.list_open(tx, limit=10) == []


def test_operator_discards_a_parked_event_once(effects: Database) -> None:
    poison = _event(13)
    inbox = _inbox(effects)
    for _ in range(MAX_ATTEMPTS):
        inbox.receive("payments", [poison])
    with effects.transaction() as tx:
        assert dead_letters.discard(tx, poison.event_id, reason="paid by hand")
        assert not dead_letters.discard(tx, poison.event_id, reason="again")
    assert inbox.receive("payments", [poison]) == [poison.event_id]
    assert _effects(effects) == []


RETENTION_DAYS = 30


def _registered(db: Database, *, days_ago: int) -> Envelope:
    """Return an event that a worker registered and did not apply before it was killed."""

    def die(_tx: Connection, _events: Sequence[PaymentConfirmed]) -> None:
        raise SystemExit

    event = _event()
    with pytest.raises(SystemExit):
        Inbox(db, {PaymentConfirmed.TYPE: die}, max_attempts=MAX_ATTEMPTS).receive("payments", [event])
    _make_older(db, event, days_ago)
    return event


def _make_older(db: Database, event: Envelope, days: int) -> None:
    change = text("UPDATE inbox SET received_at = received_at - make_interval(days => :days) WHERE event_id = :id")
    with as_owner(db) as tx:
        tx.execute(change, {"days": days, "id": event.event_id})


def _purge(db: Database) -> int:
    with db.autocommit() as tx:
        bounds = {"older_than_days": RETENTION_DAYS, "limit": 100}
        return purge_processed(tx, **bounds) + purge_unprocessed(tx, **bounds)


def _inbox_ids(db: Database) -> set[UUID]:
    with db.autocommit() as tx:
        return {row.event_id for row in tx.execute(text("SELECT event_id FROM inbox"))}


def test_purge_deletes_an_event_that_was_registered_and_never_sent_again(effects: Database) -> None:
    abandoned, recent = _registered(effects, days_ago=31), _registered(effects, days_ago=29)
    assert _purge(effects) == 1
    assert _inbox_ids(effects) == {recent.event_id}
    assert _inbox(effects).receive("payments", [abandoned]) == [abandoned.event_id], "a resend registers it again"
    assert len(_effects(effects)) == 1


def test_purge_keeps_an_old_event_with_a_recent_attempt(effects: Database) -> None:
    failing = _event(13)
    inbox = _inbox(effects)
    inbox.receive("payments", [failing])
    _make_older(effects, failing, 31)
    inbox.receive("payments", [failing])
    assert _purge(effects) == 0


def test_purge_keeps_parked_and_replayed_events(effects: Database) -> None:
    parked, replayed = _event(13), _event(13)
    inbox = _inbox(effects)
    for _ in range(MAX_ATTEMPTS):
        inbox.receive("payments", [parked, replayed])
    with as_owner(effects) as tx:
        assert dead_letters.release(tx, replayed.event_id, reason="the handler is fixed")
        tx.execute(text("UPDATE inbox SET received_at = received_at - interval '31 days', tried_at = NULL"))
    assert _purge(effects) == 0


def test_event_purged_between_registration_and_effect_is_not_reported_as_finished(effects: Database) -> None:
    """Neither in a batch nor alone; the publisher sends it again."""
    event = _event()
    inbox = _inbox(effects)
    register = inbox._register

    def purge_after(source: str, envelopes: Sequence[Envelope]) -> list[tuple[UUID, bool, bool, bool]]:
        rows = register(source, envelopes)
        with effects.autocommit() as tx:
            tx.execute(text("DELETE FROM inbox"))
        return rows

    with patch.object(inbox, "_register", purge_after):
        assert inbox.receive("payments", [event]) == []
    registered = _registered(effects, days_ago=0)
    with patch.object(inbox, "_register", purge_after):
        assert inbox.receive("payments", [registered]) == []
    assert _effects(effects) == []
    assert set(inbox.receive("payments", [event, registered])) == {event.event_id, registered.event_id}
    assert len(_effects(effects)) == 2

"""The inbox and transient errors, which do not count against an event's attempts."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg2
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from common.bus import dead_letters, inbox
from common.bus.inbox import Inbox
from common.contracts.envelope import Envelope
from common.contracts.events import PaymentConfirmed, pack
from common.core.clock import SystemClock
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from tests.support.databases import as_owner
from tests.support.servers import Servers

MAX_ATTEMPTS = 3
Act = Callable[[Connection], None]


def _event() -> Envelope:
    return pack(PaymentConfirmed(uuid4(), uuid4(), "tbank", 100, "RUB", SystemClock().now()))


class Handler:
    """Record each attempt and effect of an event. Before an effect, run the act that the test set for the event."""

    def __init__(self) -> None:
        self.acts: dict[UUID, Act] = {}
        self.tried: list[UUID] = []

    def __call__(self, tx: Connection, events: Sequence[PaymentConfirmed]) -> None:
        for event in events:
            self.tried.append(event.topup_id)
            if act := self.acts.get(event.topup_id):
                act(tx)
            tx.execute(text("INSERT INTO effects VALUES (:id)"), {"id": event.topup_id})

    def acting(self, act: Act) -> Envelope:
        """Return a new event whose handler runs ``act`` first."""
        envelope = _event()
        self.acts[_topup(envelope)] = act
        return envelope

    def stop_failing(self) -> None:
        self.acts.clear()


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def db(subscriber_db: Database) -> Database:
    with as_owner(subscriber_db) as tx:
        tx.execute(text("CREATE TABLE effects (topup_id uuid NOT NULL)"))
        tx.execute(text("CREATE TABLE locks (name text PRIMARY KEY)"))
        tx.execute(text("GRANT SELECT, INSERT ON effects TO PUBLIC"))
        tx.execute(text("GRANT SELECT, UPDATE ON locks TO PUBLIC"))
        tx.execute(text("INSERT INTO locks VALUES ('alice')"))
    return subscriber_db


@pytest.fixture
def receiver(db: Database, handler: Handler) -> Inbox:
    return _inbox(db, handler)


def _inbox(db: Database, handler: Handler) -> Inbox:
    return Inbox(db, {PaymentConfirmed.TYPE: handler}, max_attempts=MAX_ATTEMPTS)


def _topup(envelope: Envelope) -> UUID:
    return UUID(str(envelope.payload["topup_id"]))


def _effects(db: Database) -> list[UUID]:
    with db.autocommit() as tx:
        return [row.topup_id for row in tx.execute(text("SELECT topup_id FROM effects"))]


def _row(db: Database, envelope: Envelope) -> tuple[int, str | None]:
    with db.autocommit() as tx:
        found = tx.execute(
            text("SELECT attempts, last_error FROM inbox WHERE event_id = :id"), {"id": envelope.event_id}
        ).one()
        return found.attempts, found.last_error


def _parked(db: Database) -> list[UUID]:
    with db.autocommit() as tx:
        return [letter.event_id for letter in dead_letters.list_open(tx, limit=1_000)]


def _wait_for_the_lock(tx: Connection) -> None:
    tx.execute(text("SET LOCAL lock_timeout = '30ms'"))
    tx.execute(text("SELECT 1 FROM locks WHERE name = 'alice' FOR UPDATE"))


def _raise(sqlstate: str) -> Act:
    def act(tx: Connection) -> None:
        tx.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'test' USING ERRCODE = '{sqlstate}'; END $$"))

    return act


@contextmanager
def _held(db: Database) -> Iterator[None]:
    """Hold the lock in another session."""
    with db.transaction() as tx:
        tx.execute(text("SELECT 1 FROM locks WHERE name = 'alice' FOR UPDATE"))
        yield


def test_held_lock_does_not_park_an_event(db: Database, handler: Handler, receiver: Inbox) -> None:
    locked, free = handler.acting(_wait_for_the_lock), [_event() for _ in range(3)]
    with _held(db):
        first = receiver.receive("payments", [free[0], locked, *free[1:]])
        repeat = [receiver.receive("payments", [locked]) for _ in range(2 * MAX_ATTEMPTS)]
    assert set(first) == {envelope.event_id for envelope in free}, "the other events are not delayed"
    assert repeat == [[]] * (2 * MAX_ATTEMPTS)
    assert _parked(db) == []
    attempts, last_error = _row(db, locked)
    assert attempts == 0
    assert "LockNotAvailable" in str(last_error), "the reason is recorded for operators"
    # Once with its batch and once alone in the first delivery, then once per delivery.
    assert handler.tried.count(_topup(locked)) == 2 + 2 * MAX_ATTEMPTS
    assert receiver.receive("payments", [locked]) == [locked.event_id]
    assert receiver.receive("payments", [locked]) == [locked.event_id]
    assert sorted(_effects(db)) == sorted(_topup(envelope) for envelope in [*free, locked])


@pytest.mark.parametrize(
    "sqlstate", ["08006", "25006", "40001", "40P01", "53100", "53200", "53300", "55P03", "57014", "57P03"]
)
def test_transient_error_does_not_count_as_an_attempt(
    db: Database, handler: Handler, receiver: Inbox, sqlstate: str
) -> None:
    event = handler.acting(_raise(sqlstate))
    for _ in range(MAX_ATTEMPTS + 2):
        assert receiver.receive("payments", [event]) == []
    assert _parked(db) == []
    handler.stop_failing()
    assert receiver.receive("payments", [event]) == [event.event_id]
    assert _effects(db) == [_topup(event)]


@pytest.mark.parametrize("sqlstate", ["22003", "23503", "23505", "23514", "42P01", "54000", "P0001", "XX000"])
def test_other_database_error_counts_as_an_attempt(
    db: Database, handler: Handler, receiver: Inbox, sqlstate: str
) -> None:
    event = handler.acting(_raise(sqlstate))
    outcomes = [receiver.receive("payments", [event]) for _ in range(MAX_ATTEMPTS)]
    assert outcomes == [[], [], [event.event_id]]
    assert _parked(db) == [event.event_id]


def test_transient_errors_between_failures_do_not_change_the_number_of_attempts(
    db: Database, handler: Handler, receiver: Inbox
) -> None:
    event = _event()
    outcomes = []
    for sqlstate in ("40001", "23514", "55P03", "57014", "23514", "40P01", "23514"):
        handler.acts[_topup(event)] = _raise(sqlstate)
        outcomes.append(receiver.receive("payments", [event]))
    assert outcomes == [[]] * 6 + [[event.event_id]]
    with db.autocommit() as tx:
        (letter,) = dead_letters.list_open(tx, limit=10)
    assert (letter.event_id, letter.attempts) == (event.event_id, MAX_ATTEMPTS)
    assert "CheckViolation" in letter.error


def test_lost_connection_does_not_park_an_event(db: Database, handler: Handler, receiver: Inbox) -> None:
    def lose(tx: Connection) -> None:
        own = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with db.autocommit() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": own})

    event, beside = handler.acting(lose), _event()
    assert receiver.receive("payments", [event, beside]) == [beside.event_id]
    for _ in range(2 * MAX_ATTEMPTS):
        assert receiver.receive("payments", [event]) == []
    assert _parked(db) == []
    assert _row(db, event)[0] == 0
    handler.stop_failing()
    assert receiver.receive("payments", [event]) == [event.event_id]
    assert sorted(_effects(db)) == sorted([_topup(event), _topup(beside)])


@contextmanager
def _administration(servers: Servers) -> Iterator[psycopg2.extensions.cursor]:
    connection = psycopg2.connect(servers.postgres_url("postgres"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


class Outage:
    """A database that rejects all connections from :meth:`begin`, which a handler calls, to :meth:`end`."""

    def __init__(self, servers: Servers, db: Database) -> None:
        self._servers = servers
        self._name = str(make_url(db.url).database)

    def begin(self, _tx: Connection | None = None) -> None:
        with _administration(self._servers) as cursor:
            cursor.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false')
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (self._name,)
            )

    def end(self) -> None:
        with _administration(self._servers) as cursor:
            cursor.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true')


@pytest.fixture
def outage(db: Database, test_servers: Servers) -> Outage:
    return Outage(test_servers, db)


def test_attempts_counted_during_an_outage_are_refunded_after_it(
    db: Database, handler: Handler, receiver: Inbox, outage: Outage
) -> None:
    event, beside = handler.acting(outage.begin), handler.acting(outage.begin)
    for _ in range(2 * MAX_ATTEMPTS):
        assert receiver.receive("payments", [event, beside]) == [], "the inbox reports nothing and raises nothing"
        with pytest.raises(psycopg2.OperationalError), psycopg2.connect(_plain(db)):
            pass  # the outage is real
        with pytest.raises(Exception, match="not currently accepting connections"):
            receiver.receive("payments", [event, beside])
        outage.end()
        receiver.receive("payments", [])
        assert _row(db, event)[0] == 0
        assert _row(db, beside)[0] == 0
    assert "OperationalError" in f"{_row(db, event)[1]} {_row(db, beside)[1]}"
    handler.stop_failing()
    assert set(receiver.receive("payments", [event, beside])) == {event.event_id, beside.event_id}
    assert sorted(_effects(db)) == sorted([_topup(event), _topup(beside)])
    assert _parked(db) == []


def _plain(db: Database) -> str:
    return db.url.replace("+psycopg2", "")


def test_process_killed_during_an_outage_uses_one_attempt(
    db: Database, handler: Handler, receiver: Inbox, outage: Outage
) -> None:
    event = handler.acting(outage.begin)
    assert receiver.receive("payments", [event]) == []
    outage.end()
    handler.stop_failing()
    successor = _inbox(db, handler)
    assert successor.receive("payments", []) == []
    assert _row(db, event)[0] == 1
    assert successor.receive("payments", [event]) == [event.event_id]


def test_events_after_one_that_kills_its_worker_are_not_parked(db: Database, handler: Handler, receiver: Inbox) -> None:
    def die(_tx: Connection) -> None:
        raise SystemExit  # the database state is that after os._exit

    deadly = handler.acting(die)
    others = [_event() for _ in range(6)]
    message = [*others[:3], deadly, *others[3:]]
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(SystemExit):
            receiver.receive("payments", message)
    rest = set(receiver.receive("payments", message))
    assert rest == {envelope.event_id for envelope in others}
    with db.autocommit() as tx:
        tx.execute(text("UPDATE inbox SET tried_at = now() - interval '11 seconds' WHERE processed_at IS NULL"))
    assert set(receiver.receive("payments", message)) == {envelope.event_id for envelope in message}
    assert _parked(db) == [deadly.event_id]
    assert handler.tried.count(_topup(deadly)) == MAX_ATTEMPTS
    assert sorted(_effects(db)) == sorted(_topup(envelope) for envelope in others)


def test_event_is_not_parked_while_its_last_attempt_is_in_progress(
    db: Database, handler: Handler, receiver: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = handler.acting(_raise("40001"))
    receiver.receive("payments", [event])
    with db.autocommit() as tx:
        tx.execute(text("UPDATE inbox SET attempts = :last"), {"last": MAX_ATTEMPTS - 1})
    started, finish = threading.Event(), threading.Event()

    def wait_long(_tx: Connection) -> None:
        started.set()
        assert finish.wait(30)

    handler.acts[_topup(event)] = wait_long
    monkeypatch.setattr(inbox, "WORKER_DEAD_AFTER_SECONDS", 0)
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(receiver.receive, "payments", [event])
        assert started.wait(30)
        assert _inbox(db, handler).receive("payments", [event]) == []
        finish.set()
        assert slow.result() == [event.event_id]
    assert _parked(db) == []
    assert _effects(db) == [_topup(event)]


def test_message_is_processed_for_a_bounded_time_and_the_rest_is_redelivered(
    db: Database, handler: Handler, receiver: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, free = [handler.acting(_wait_for_the_lock) for _ in range(20)], [_event() for _ in range(20)]
    message = [*locked, *free]
    with _held(db):
        monkeypatch.setattr(inbox, "ONE_BY_ONE_SECONDS", 0.1)
        for _ in range(MAX_ATTEMPTS + 2):
            receiver.receive("payments", message)
        assert len(handler.tried) < 20 + (MAX_ATTEMPTS + 2) * 2 * 20
        assert set(_effects(db)) <= {_topup(envelope) for envelope in free}
        monkeypatch.undo()
        assert set(receiver.receive("payments", message)) == {envelope.event_id for envelope in free}
    receiver.receive("payments", [])
    assert {_row(db, envelope)[0] for envelope in locked} == {0}
    assert set(receiver.receive("payments", message)) == {envelope.event_id for envelope in message}
    assert _parked(db) == []
    assert len(_effects(db)) == 40


def test_more_concurrent_copies_than_attempts_park_nothing(db: Database, handler: Handler) -> None:
    """Several workers receive copies of the same events concurrently, and all wait for the lock."""
    events = [handler.acting(_wait_for_the_lock) for _ in range(4)]
    receivers = [_inbox(db, handler) for _ in range(4)]
    with _held(db):
        threads = [
            threading.Thread(target=lambda r=r: [r.receive("payments", events) for _ in range(3)]) for r in receivers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for r in receivers:
        r.receive("payments", [])
    assert {_row(db, event)[0] for event in events} == {0}
    assert set(receivers[0].receive("payments", events)) == {event.event_id for event in events}
    assert len(_effects(db)) == 4


def test_exhausted_pool_is_a_transient_error(db: Database, handler: Handler) -> None:
    """The handler has a connection; none is free to record the attempt."""
    small = Database(
        db.url,
        settings=DatabaseSettings(database_pool_size=1, database_pool_timeout_seconds=0.1),
        application_name="test",
    )

    def take_the_last_connection(_tx: Connection) -> None:
        small.ping()

    event = handler.acting(take_the_last_connection)
    receiver = _inbox(small, handler)
    for _ in range(MAX_ATTEMPTS + 1):
        assert receiver.receive("payments", [event]) == []
    small.dispose()
    assert _row(db, event)[0] == 0
    assert _parked(db) == []

"""From a committed row over a real broker to the effect and back: nothing is lost on the way, whatever dies."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import redis
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from sqlalchemy import text

from cli.children import Child
from common.contracts.events import PaymentConfirmed, event_id
from common.core.settings import BusSettings
from common.db.engine import Database
from common.messaging import outbox
from common.messaging.celery_app import create_celery
from common.messaging.lazy_acknowledger import LazyAcknowledger
from common.messaging.relay import Relay
from common.messaging.topology import acknowledgements_queue, events_queue
from services.balance.models import user_account_id
from tests.support.bus import bus_process
from tests.support.eventually import eventually


def _confirmed(user_id: UUID, amount_minor: int = 100) -> PaymentConfirmed:
    return PaymentConfirmed(uuid4(), user_id, "tbank", amount_minor, "RUB", datetime.now(UTC))


def _publish(db: Database, *events: PaymentConfirmed, delay_seconds: float = 0) -> None:
    with db.transaction() as tx:
        outbox.add_all(tx, events, delay_seconds=delay_seconds)


def _open_events(db: Database) -> int:
    with db.autocommit() as tx:
        return outbox.backlog(tx).open


def _balance(db: Database, user_id: UUID) -> int:
    with db.autocommit() as tx:
        found = tx.execute(
            text("SELECT balance_minor FROM accounts WHERE account_id = :id"), {"id": user_account_id(user_id, "RUB")}
        )
        return int(found.scalar_one_or_none() or 0)


@dataclass(frozen=True, slots=True)
class Bus:
    """Starts the processes between publisher and subscriber, as a test needs them."""

    folder: Path
    stack: ExitStack
    settings: dict[str, str]

    def start(self, module: str, role: str) -> Child:
        return self.stack.enter_context(bus_process(self.folder, module, role, self.settings))

    def relay(self) -> Child:
        return self.start("tests.support.bus_process", "relay")

    def acknowledgements(self) -> Child:
        return self.start("tests.support.bus_process", "worker")

    def consumer(self) -> Child:
        return self.start("services.balance.worker", "worker")


@pytest.fixture
def bus(tmp_path: Path, publisher_db: Database, subscriber_db: Database, bus_settings: BusSettings) -> Iterator[Bus]:
    settings = {
        "FASTCHECK_BROKER_URL": bus_settings.broker_url.get_secret_value(),
        "FASTCHECK_PUBLISHER_DATABASE_URL": publisher_db.url,
        "FASTCHECK_BALANCE_DATABASE_URL": subscriber_db.url,
        "FASTCHECK_TOKEN_PUBLIC_KEYS": "{}",
        "FASTCHECK_OUTBOX_RESEND_SECONDS": "0.5",
        "FASTCHECK_OUTBOX_RESEND_MAX_SECONDS": "1",
    }
    with ExitStack() as stack:
        yield Bus(tmp_path, stack, settings)


def test_a_committed_event_takes_effect_and_is_closed(
    publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    bus.relay()
    bus.consumer()
    bus.acknowledgements()
    user = uuid4()
    _publish(publisher_db, *[_confirmed(user) for _ in range(25)])
    eventually(lambda: _balance(subscriber_db, user) == 2_500)
    eventually(lambda: _open_events(publisher_db) == 0)


def test_an_event_of_a_transaction_that_is_rolled_back_never_was(publisher_db: Database) -> None:
    def write_and_fail() -> None:
        with publisher_db.transaction() as tx:
            outbox.add_all(tx, [_confirmed(uuid4())])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert _open_events(publisher_db) == 0


def test_a_flushed_broker_loses_nothing(
    publisher_db: Database, subscriber_db: Database, bus_settings: BusSettings, bus: Bus
) -> None:
    user = uuid4()
    broker = redis.Redis.from_url(bus_settings.broker_url.get_secret_value())
    bus.relay()
    _publish(publisher_db, *[_confirmed(user) for _ in range(10)])
    eventually(lambda: broker.llen(events_queue("balance")))
    broker.flushdb()
    bus.consumer()
    bus.acknowledgements()
    eventually(lambda: _balance(subscriber_db, user) == 1_000)
    eventually(lambda: _open_events(publisher_db) == 0)


def test_a_lost_acknowledgement_is_made_good_and_credits_nothing_twice(
    publisher_db: Database, subscriber_db: Database, bus_settings: BusSettings, bus: Bus
) -> None:
    user = uuid4()
    broker = redis.Redis.from_url(bus_settings.broker_url.get_secret_value())
    bus.relay()
    bus.consumer()
    _publish(publisher_db, _confirmed(user))
    eventually(lambda: _balance(subscriber_db, user) == 100)
    eventually(lambda: broker.llen(acknowledgements_queue("payments")))
    broker.flushdb()
    bus.acknowledgements()
    eventually(lambda: _open_events(publisher_db) == 0)
    assert _balance(subscriber_db, user) == 100


def test_consumers_killed_in_mid_batch_lose_and_double_nothing(
    publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    users = [uuid4() for _ in range(20)]
    bus.relay()
    bus.acknowledgements()
    events = [_confirmed(users[i % 20], 10) for i in range(2_000)]
    for _ in range(4):
        consumer = bus.consumer()
        batch, events = events[:500], events[500:]
        before = _total(subscriber_db)
        _publish(publisher_db, *batch)
        eventually(partial(_has_more_than, subscriber_db, before))
        os.kill(consumer.pid, signal.SIGKILL)
    bus.consumer()
    eventually(lambda: _open_events(publisher_db) == 0, timeout=30)
    assert [_balance(subscriber_db, user) for user in users] == [1_000] * 20


def _has_more_than(db: Database, amount_minor: int) -> bool:
    return _total(db) > amount_minor


def _total(db: Database) -> int:
    with db.autocommit() as tx:
        return int(tx.execute(text("SELECT COALESCE(sum(balance_minor), 0) FROM accounts")).scalar_one())


def test_a_dead_broker_costs_time_only(publisher_db: Database) -> None:
    settings = BusSettings(broker_url=SecretStr("redis://127.0.0.1:1/0"))
    relay = Relay("payments", publisher_db, create_celery("payments", settings), settings)
    _publish(publisher_db, _confirmed(uuid4()))
    with pytest.raises((OperationalError, OSError)):
        relay.send_due()
    assert _open_events(publisher_db) == 1


def test_two_relays_take_each_row_once(publisher_db: Database) -> None:
    _publish(publisher_db, *[_confirmed(uuid4()) for _ in range(30)])
    with publisher_db.transaction() as first, publisher_db.transaction() as second:
        took = [outbox.take_due(tx, limit=20, resend_seconds=5, resend_max_seconds=20) for tx in (first, second)]
    ids = [due.envelope.event_id for batch in took for due in batch]
    assert len(ids) == len(set(ids)) == 30


def test_a_row_that_commits_late_is_not_passed_over(publisher_db: Database) -> None:
    """Rows are taken by status, never by "newer than the last": commits do not come in the order of ids."""
    with publisher_db.transaction() as slow:
        outbox.add_all(slow, [_confirmed(uuid4())])
        _publish(publisher_db, _confirmed(uuid4()))
        with publisher_db.autocommit() as tx:
            assert len(outbox.take_due(tx, limit=10, resend_seconds=5, resend_max_seconds=20)) == 1
    with publisher_db.autocommit() as tx:
        assert len(outbox.take_due(tx, limit=10, resend_seconds=5, resend_max_seconds=20)) == 1


def test_each_sending_puts_the_next_one_off_further_up_to_a_bound(publisher_db: Database) -> None:
    _publish(publisher_db, _confirmed(uuid4()))
    waits: list[float] = []
    for _ in range(5):
        with publisher_db.autocommit() as tx:
            assert len(outbox.take_due(tx, limit=1, resend_seconds=5, resend_max_seconds=20)) == 1
            waits.append(
                float(
                    tx.execute(
                        text("SELECT EXTRACT(EPOCH FROM available_at - clock_timestamp()) FROM outbox")
                    ).scalar_one()
                )
            )
            tx.execute(text("UPDATE outbox SET available_at = now()"))
    assert [round(wait) for wait in waits] == [5, 10, 20, 20, 20]


def test_a_delayed_event_is_left_alone_until_its_time(publisher_db: Database) -> None:
    _publish(publisher_db, _confirmed(uuid4()), delay_seconds=30)
    with publisher_db.autocommit() as tx:
        assert outbox.take_due(tx, limit=10, resend_seconds=5, resend_max_seconds=20) == []


def test_the_same_event_written_twice_is_one_row(publisher_db: Database) -> None:
    event = _confirmed(uuid4())
    _publish(publisher_db, event)
    _publish(publisher_db, event)
    assert _open_events(publisher_db) == 1


def test_direct_acknowledgements_are_closed_in_one_batch(publisher_db: Database) -> None:
    events = [_confirmed(uuid4()) for _ in range(20)]
    _publish(publisher_db, *events, delay_seconds=30)
    acknowledger = LazyAcknowledger(publisher_db, "balance")
    for event in events:
        acknowledger.acknowledge(event_id(event))
    eventually(lambda: _open_events(publisher_db) == 0)


def test_a_full_queue_is_not_sent_more(publisher_db: Database, bus_settings: BusSettings) -> None:
    settings = bus_settings.model_copy(update={"outbox_max_queue_depth": 1})
    relay = Relay("payments", publisher_db, create_celery("payments", settings), settings)
    _publish(publisher_db, _confirmed(uuid4()))
    assert relay.send_due() == 1
    _publish(publisher_db, _confirmed(uuid4()))
    assert relay.send_due() == 0
    assert _open_events(publisher_db) == 2

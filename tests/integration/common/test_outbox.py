"""The outbox over a real broker: no event is lost or applied twice when the broker or a process fails."""

import os
import signal
from functools import partial
from uuid import uuid4

import pytest
import redis
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from sqlalchemy import text

from common.bus import outbox
from common.bus.batched_acknowledger import BatchedAcknowledger
from common.bus.celery_app import create_celery
from common.bus.relay import Relay
from common.bus.topology import acknowledgements_queue, events_queue
from common.contracts.events import event_id
from common.core.settings import BusSettings
from common.db.engine import Database
from tests.support.bus import Bus, balance_of, confirmed, has_more_than, keys_of, open_events, publish, total
from tests.support.eventually import eventually


def test_committed_event_takes_effect_and_is_closed(publisher_db: Database, subscriber_db: Database, bus: Bus) -> None:
    bus.relay()
    bus.consumer()
    bus.acknowledgements()
    user = uuid4()
    publish(publisher_db, *[confirmed(user) for _ in range(25)])
    eventually(lambda: balance_of(subscriber_db, user) == 2_500)
    eventually(lambda: open_events(publisher_db) == 0)


def test_event_of_a_rolled_back_transaction_is_not_sent(publisher_db: Database) -> None:
    def write_and_fail() -> None:
        with publisher_db.transaction() as tx:
            outbox.add_all(tx, [confirmed(uuid4())])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert open_events(publisher_db) == 0


def test_events_lost_by_the_broker_are_sent_again(
    publisher_db: Database, subscriber_db: Database, bus_settings: BusSettings, bus: Bus
) -> None:
    user = uuid4()
    broker = redis.Redis.from_url(bus_settings.broker_url.get_secret_value())
    bus.relay()
    publish(publisher_db, *[confirmed(user) for _ in range(10)])
    eventually(lambda: broker.llen(events_queue("balance")))
    broker.flushdb()
    bus.consumer()
    bus.acknowledgements()
    eventually(lambda: balance_of(subscriber_db, user) == 1_000)
    eventually(lambda: open_events(publisher_db) == 0)


def test_event_with_a_lost_acknowledgement_is_closed_and_credits_once(
    publisher_db: Database, subscriber_db: Database, bus_settings: BusSettings, bus: Bus
) -> None:
    user = uuid4()
    broker = redis.Redis.from_url(bus_settings.broker_url.get_secret_value())
    bus.relay()
    bus.consumer()
    publish(publisher_db, confirmed(user))
    eventually(lambda: balance_of(subscriber_db, user) == 100)
    eventually(lambda: broker.llen(acknowledgements_queue("payments")))
    broker.flushdb()
    bus.acknowledgements()
    eventually(lambda: open_events(publisher_db) == 0)
    assert balance_of(subscriber_db, user) == 100


def test_consumers_killed_mid_batch_lose_and_duplicate_nothing(
    publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    users = [uuid4() for _ in range(20)]
    bus.relay()
    bus.acknowledgements()
    events = [confirmed(users[i % 20], 10) for i in range(2_000)]
    for _ in range(4):
        consumer = bus.consumer()
        batch, events = events[:500], events[500:]
        before = total(subscriber_db)
        publish(publisher_db, *batch)
        eventually(partial(has_more_than, subscriber_db, before))
        os.kill(consumer.pid, signal.SIGKILL)
    bus.consumer()
    eventually(lambda: open_events(publisher_db) == 0, timeout=30)
    assert [balance_of(subscriber_db, user) for user in users] == [1_000] * 20


def test_event_stays_open_while_the_broker_is_unreachable(publisher_db: Database) -> None:
    settings = BusSettings(broker_url=SecretStr("redis://127.0.0.1:1/0"))
    relay = Relay(keys_of("payments"), publisher_db, create_celery("payments", settings), settings)
    publish(publisher_db, confirmed(uuid4()))
    with pytest.raises((OperationalError, OSError)):
        relay.send_due()
    assert open_events(publisher_db) == 1


def test_concurrent_relays_claim_each_row_once(publisher_db: Database) -> None:
    publish(publisher_db, *[confirmed(uuid4()) for _ in range(30)])
    with publisher_db.transaction() as first, publisher_db.transaction() as second:
        claimed = [outbox.claim_due(tx, limit=20, resend_seconds=5, resend_max_seconds=20) for tx in (first, second)]
    ids = [due.envelope.event_id for batch in claimed for due in batch]
    assert len(ids) == len(set(ids)) == 30


def test_row_that_commits_late_is_sent(publisher_db: Database) -> None:
    """Rows are claimed by status, not by id: transactions commit in any order of ids."""
    with publisher_db.transaction() as slow:
        outbox.add_all(slow, [confirmed(uuid4())])
        publish(publisher_db, confirmed(uuid4()))
        with publisher_db.autocommit() as tx:
            assert len(outbox.claim_due(tx, limit=10, resend_seconds=5, resend_max_seconds=20)) == 1
    with publisher_db.autocommit() as tx:
        assert len(outbox.claim_due(tx, limit=10, resend_seconds=5, resend_max_seconds=20)) == 1


def test_delay_between_sends_doubles_up_to_its_maximum(publisher_db: Database) -> None:
    publish(publisher_db, confirmed(uuid4()))
    delays: list[float] = []
    for _ in range(5):
        with publisher_db.autocommit() as tx:
            assert len(outbox.claim_due(tx, limit=1, resend_seconds=5, resend_max_seconds=20)) == 1
            delays.append(
                float(
                    tx.execute(
                        text("SELECT EXTRACT(EPOCH FROM available_at - clock_timestamp()) FROM outbox")
                    ).scalar_one()
                )
            )
            tx.execute(text("UPDATE outbox SET available_at = now()"))
    assert [round(wait) for wait in delays] == [5, 10, 20, 20, 20]


def test_delayed_event_is_not_sent_before_its_time(publisher_db: Database) -> None:
    publish(publisher_db, confirmed(uuid4()), delay_seconds=30)
    with publisher_db.autocommit() as tx:
        assert outbox.claim_due(tx, limit=10, resend_seconds=5, resend_max_seconds=20) == []


def test_event_written_twice_is_one_row(publisher_db: Database) -> None:
    event = confirmed(uuid4())
    publish(publisher_db, event)
    publish(publisher_db, event)
    assert open_events(publisher_db) == 1


def test_direct_acknowledgements_are_closed_in_batches(publisher_db: Database) -> None:
    events = [confirmed(uuid4()) for _ in range(20)]
    publish(publisher_db, *events, delay_seconds=30)
    acknowledger = BatchedAcknowledger(publisher_db, "balance")
    for event in events:
        acknowledger.acknowledge(event_id(event))
    eventually(lambda: open_events(publisher_db) == 0)


def test_relay_stops_while_the_queue_is_full(publisher_db: Database, bus_settings: BusSettings) -> None:
    settings = bus_settings.model_copy(update={"outbox_max_queue_depth": 1})
    relay = Relay(keys_of("payments"), publisher_db, create_celery("payments", settings), settings)
    publish(publisher_db, confirmed(uuid4()))
    assert relay.send_due() == 1
    publish(publisher_db, confirmed(uuid4()))
    assert relay.send_due() == 0
    assert open_events(publisher_db) == 2

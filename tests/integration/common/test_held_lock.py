"""A held row lock delays an event on the real bus; the event then takes effect once."""

import json
from uuid import uuid4

import psycopg2

from common import log_events
from common.bus import dead_letters
from common.db.engine import Database
from tests.support.bus import Bus, balance_of, confirmed, open_events, publish
from tests.support.eventually import eventually


def test_lock_held_longer_than_the_allowed_attempts_only_delays_the_event(
    publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    """A database session locks the account of the user while balance's handler processes the event."""
    user = uuid4()
    bus.settings["FASTCHECK_INBOX_MAX_ATTEMPTS"] = "2"
    bus.relay()
    consumer = bus.consumer()
    bus.acknowledgements()
    publish(publisher_db, confirmed(user))
    eventually(lambda: balance_of(subscriber_db, user) == 100)

    def held_up() -> list[dict[str, object]]:
        lines = [json.loads(line) for line in consumer.launch.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == log_events.EVENT_ATTEMPT_REFUNDED]

    locking = psycopg2.connect(subscriber_db.url.replace("+psycopg2", ""))
    with locking.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = 0")  # that of the role would end this session
        cursor.execute("UPDATE accounts SET balance_minor = balance_minor WHERE user_id = %s", (str(user),))
    publish(publisher_db, confirmed(user))
    eventually(lambda: len(held_up()) > 3, timeout=60)
    locking.close()
    eventually(lambda: balance_of(subscriber_db, user) == 200)
    eventually(lambda: open_events(publisher_db) == 0)
    with subscriber_db.autocommit() as tx:
        assert dead_letters.list_open(tx, limit=10) == []
    assert {line["sqlstate"] for line in held_up()} == {"55P03"}
    assert balance_of(subscriber_db, user) == 200

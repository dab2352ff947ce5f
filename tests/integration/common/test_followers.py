"""Subscribers that follow users: which rows the outbox writes for them, and when the relay sends them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from common.bus import outbox
from common.bus.celery_app import create_celery
from common.bus.publishing import send_events
from common.bus.relay import Relay
from common.contracts.events import CheckAccepted, CheckCreated, pack
from common.core.settings import BusSettings
from common.db.engine import Database
from tests.support.bus import confirmed, keys_of, publish

NOW = datetime(2026, 1, 19, 9, tzinfo=UTC)


def follow(db: Database, *user_ids: UUID) -> None:
    with db.autocommit() as tx:
        for user_id in user_ids:
            outbox.follow(tx, "webhooks", user_id)


def due(db: Database, **more: object) -> list[tuple[str, str]]:
    """Return the subscriber and the type of each event that is due."""
    with db.autocommit() as tx:
        found = outbox.claim_due(tx, limit=100, resend_seconds=5, resend_max_seconds=20, **more)  # type: ignore[arg-type]
    return sorted((item.subscriber, item.envelope.type) for item in found)


def test_row_for_a_follower_is_written_for_followed_users_only(publisher_db: Database) -> None:
    followed, other = uuid4(), uuid4()
    follow(publisher_db, followed, followed)
    publish(publisher_db, confirmed(followed), confirmed(other))
    assert due(publisher_db) == [("balance", "payment.confirmed.v1")] * 2 + [("webhooks", "payment.confirmed.v1")]


def test_one_followed_user_of_several_is_enough(publisher_db: Database) -> None:
    creator, acceptor = uuid4(), uuid4()
    for followed in (creator, acceptor):
        follow(publisher_db, followed)
        event = CheckAccepted(uuid4(), "1234-5678-0001", acceptor, 100, "RUB", NOW, creator)
        with publisher_db.transaction() as tx:
            outbox.add_all(tx, [event])
        assert due(publisher_db) == [("balance", event.TYPE), ("webhooks", event.TYPE)]


def test_event_without_a_subscriber_leaves_no_row(publisher_db: Database) -> None:
    with publisher_db.transaction() as tx:
        outbox.add_all(tx, [CheckCreated(uuid4(), "1234-5678-0001", uuid4(), 100, "RUB", NOW, NOW)])
    assert due(publisher_db) == []


def test_another_subscriber_does_not_follow(publisher_db: Database) -> None:
    user = uuid4()
    with publisher_db.autocommit() as tx:
        outbox.follow(tx, "another", user)
    publish(publisher_db, confirmed(user))
    assert due(publisher_db) == [("balance", "payment.confirmed.v1")]


def test_delay_is_for_those_that_a_command_serves_and_not_for_followers(publisher_db: Database) -> None:
    user = uuid4()
    follow(publisher_db, user)
    publish(publisher_db, confirmed(user), delay_seconds=30)
    assert due(publisher_db) == [("webhooks", "payment.confirmed.v1")]


def test_excluded_subscriber_keeps_its_rows(publisher_db: Database) -> None:
    user = uuid4()
    follow(publisher_db, user)
    publish(publisher_db, confirmed(user))
    assert due(publisher_db, excluded=["webhooks"]) == [("balance", "payment.confirmed.v1")]
    assert due(publisher_db) == [("webhooks", "payment.confirmed.v1")]


def test_full_queue_of_one_subscriber_does_not_delay_the_others(
    publisher_db: Database, bus_settings: BusSettings
) -> None:
    settings = bus_settings.model_copy(update={"outbox_max_queue_depth": 1})
    app, user = create_celery("payments", settings), uuid4()
    follow(publisher_db, user)
    send_events(app, keys_of("payments"), "webhooks", [pack(confirmed(user))])
    publish(publisher_db, confirmed(user))
    assert Relay(keys_of("payments"), publisher_db, app, settings).send_due() == 1
    assert due(publisher_db) == [("webhooks", "payment.confirmed.v1")]

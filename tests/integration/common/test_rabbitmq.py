"""The bus on a real RabbitMQ: quorum queues, and no event lost or applied twice when a process is killed."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import amqp
import pytest
from kombu.exceptions import OperationalError
from pydantic import SecretStr

from common.bus.celery_app import broker_errors, create_celery
from common.bus.relay import Relay
from common.bus.topology import acknowledgements_queue, events_queue, queues_of, schedule_queue
from common.core.settings import BusSettings
from common.db.engine import Database
from tests.support import rabbitmq
from tests.support.bus import Bus, balance_of, confirmed, has_more_than, keys_of, open_events, publish, total
from tests.support.bus_process import NAME as PUBLISHER
from tests.support.eventually import eventually
from tests.support.rabbitmq import Node

pytestmark = pytest.mark.skipif(not rabbitmq.is_installed(), reason=rabbitmq.MISSING)

#: Celery reconnects to an unreachable broker after 2, 4, 6, ... seconds.
TIMEOUT_SECONDS = 60

QUEUES = (*queues_of(PUBLISHER), *queues_of("balance"), events_queue("webhooks"))


@dataclass(frozen=True, slots=True)
class Broker:
    """A virtual host of the node that only this test uses."""

    node: Node
    vhost: str

    @property
    def url(self) -> str:
        return self.node.url(self.vhost)

    def depth(self, queue: str) -> int:
        """Return the number of ready messages; 0 for a queue that does not exist."""
        with self.node.connect(self.vhost) as connection:
            try:
                return int(connection.channel().queue_declare(queue, passive=True).message_count)
            except amqp.NotFound:
                return 0

    def lists(self, what: str, *columns: str) -> list[dict[str, Any]]:
        """Return the rows of ``rabbitmqctl list_<what>``."""
        found: list[dict[str, Any]] = self.node.control("--vhost", self.vhost, f"list_{what}", *columns)
        return found

    def restart_after_a_kill(self, *queues: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Kill the node once ``queues`` are on disk, call ``meanwhile``, and start the node."""
        eventually(lambda: self.node.has_written_down(self.vhost, *queues))
        self.node.kill()
        meanwhile()
        self.node.start()


@pytest.fixture(scope="module")
def node() -> Iterator[tuple[Node, Iterator[str]]]:
    with rabbitmq.running() as node:
        yield node, iter(rabbitmq.VHOSTS)


@pytest.fixture
def broker(node: tuple[Node, Iterator[str]]) -> Broker:
    return Broker(node[0], next(node[1]))


@pytest.fixture
def bus_settings(broker: Broker) -> BusSettings:
    return BusSettings(broker_url=SecretStr(broker.url), outbox_resend_seconds=0.2, outbox_resend_max_seconds=0.4)


def _relay_that_sends_once(broker: Broker, db: Database) -> Relay:
    settings = BusSettings(broker_url=SecretStr(broker.url), outbox_resend_seconds=600, outbox_resend_max_seconds=600)
    return Relay(keys_of(PUBLISHER), db, create_celery(PUBLISHER, settings), settings)


def test_event_takes_effect_over_quorum_queues_and_no_other_object_is_declared(
    broker: Broker, publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    bus.relay()
    bus.consumer()
    bus.acknowledgements()
    bus.scheduler()
    user = uuid4()
    publish(publisher_db, *[confirmed(user) for _ in range(25)])
    eventually(lambda: balance_of(subscriber_db, user) == 2_500)
    eventually(lambda: open_events(publisher_db) == 0)
    found = broker.lists("queues", "name", "type", "durable")
    assert {(queue["name"], queue["type"], queue["durable"]) for queue in found} == {
        (name, "quorum", True) for name in QUEUES
    }, "only quorum queues: none for worker events, remote control or delayed delivery"
    exchanges = {exchange["name"] for exchange in broker.lists("exchanges", "name")}
    assert all(name.startswith("amq.") for name in exchanges - {""}), exchanges
    channels = broker.lists("channels", "prefetch_count", "global_prefetch_count", "consumer_count", "confirm")
    consuming = [channel for channel in channels if channel["consumer_count"]]
    assert len(consuming) == 2
    assert all(channel["global_prefetch_count"] == 0 for channel in channels), "quorum queues take no global QoS"
    assert sum(channel["confirm"] for channel in channels) == 3, "relay, consumer and scheduler publish with confirms"


def test_consumers_killed_mid_batch_lose_and_duplicate_nothing(
    publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    users = [uuid4() for _ in range(20)]
    bus.relay()
    bus.acknowledgements()
    for _ in range(3):
        consumer = bus.consumer()
        before = total(subscriber_db)
        publish(publisher_db, *[confirmed(users[number % 20], 10) for number in range(500)])
        eventually(partial(has_more_than, subscriber_db, before))
        os.kill(consumer.pid, signal.SIGKILL)
    bus.consumer()
    eventually(lambda: open_events(publisher_db) == 0)
    assert [balance_of(subscriber_db, user) for user in users] == [750] * 20


def test_message_of_a_killed_consumer_is_delivered_to_the_next(
    broker: Broker, publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    """The broker redelivers the message; the outbox does not send it again in this test."""
    user = uuid4()
    consumer = bus.consumer()
    os.kill(consumer.pid, signal.SIGSTOP)
    publish(publisher_db, *[confirmed(user) for _ in range(10)])
    assert _relay_that_sends_once(broker, publisher_db).send_due() == 10
    eventually(lambda: broker.depth(events_queue("balance")) == 0)
    assert balance_of(subscriber_db, user) == 0, "a stopped consumer has the message"
    os.kill(consumer.pid, signal.SIGKILL)
    bus.consumer()
    eventually(lambda: balance_of(subscriber_db, user) == 1_000)


def test_confirmed_messages_survive_a_broker_kill(
    broker: Broker, publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    """The outbox does not send the messages again in this test."""
    user = uuid4()
    publish(publisher_db, *[confirmed(user) for _ in range(10)])
    assert _relay_that_sends_once(broker, publisher_db).send_due() == 10
    broker.restart_after_a_kill(events_queue("balance"))
    bus.consumer()
    eventually(lambda: balance_of(subscriber_db, user) == 1_000)


def test_all_processes_reconnect_to_a_restarted_broker(
    broker: Broker, publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    user = uuid4()
    bus.relay()
    bus.scheduler()
    bus.consumer()
    publish(publisher_db, *[confirmed(user) for _ in range(10)])
    eventually(lambda: balance_of(subscriber_db, user) == 1_000)
    eventually(lambda: broker.depth(acknowledgements_queue(PUBLISHER)))
    broker.restart_after_a_kill(
        *queues_of("balance"),
        schedule_queue(PUBLISHER),
        acknowledgements_queue(PUBLISHER),
        meanwhile=lambda: publish(publisher_db, *[confirmed(user) for _ in range(10)]),
    )
    eventually(lambda: balance_of(subscriber_db, user) == 2_000, timeout=TIMEOUT_SECONDS)
    eventually(lambda: broker.depth(schedule_queue(PUBLISHER)), timeout=TIMEOUT_SECONDS)
    bus.acknowledgements()
    eventually(lambda: open_events(publisher_db) == 0)
    assert balance_of(subscriber_db, user) == 2_000


def test_deleted_queue_is_declared_again_and_events_are_redelivered(
    broker: Broker, publisher_db: Database, subscriber_db: Database, bus: Bus
) -> None:
    user = uuid4()
    bus.relay()
    bus.consumer()
    bus.acknowledgements()
    publish(publisher_db, *[confirmed(user) for _ in range(10)])
    eventually(lambda: open_events(publisher_db) == 0)
    publish(publisher_db, *[confirmed(user) for _ in range(10)])
    with broker.node.connect(broker.vhost) as connection:
        connection.channel().queue_delete(events_queue("balance"))
    eventually(lambda: open_events(publisher_db) == 0)
    assert balance_of(subscriber_db, user) == 2_000


def test_relay_stops_while_the_queue_is_full(publisher_db: Database, bus_settings: BusSettings) -> None:
    settings = bus_settings.model_copy(update={"outbox_max_queue_depth": 1})
    relay = Relay(keys_of(PUBLISHER), publisher_db, create_celery(PUBLISHER, settings), settings)
    publish(publisher_db, confirmed(uuid4()))
    assert relay.send_due() == 1
    publish(publisher_db, confirmed(uuid4()))
    assert relay.send_due() == 0
    assert open_events(publisher_db) == 2


def test_event_stays_open_while_the_broker_is_unreachable(publisher_db: Database) -> None:
    settings = BusSettings(broker_url=SecretStr("amqp://x:x@127.0.0.1:1//"))
    app = create_celery(PUBLISHER, settings)
    relay = Relay(keys_of(PUBLISHER), publisher_db, app, settings)
    publish(publisher_db, confirmed(uuid4()))
    with pytest.raises(broker_errors(app)):
        relay.send_due()
    assert open_events(publisher_db) == 1
    assert OperationalError in broker_errors(app)


def test_users_of_services_have_the_permissions_that_they_need_and_no_others(
    node: tuple[Node, Iterator[str]],
) -> None:
    server = node[0]
    for service, sends in (("balance", "checks"), ("checks", "balance"), ("payments", "balance")):
        settings = BusSettings(broker_url=SecretStr(server.service_url(service)))
        app = create_celery(service, settings)
        to = acknowledgements_queue(sends) if service == "balance" else events_queue(sends)
        app.send_task("any", queue=to)
        with app.pool.acquire(block=True) as connection:
            for queue in queues_of(service):
                app.amqp.queues[queue](connection.default_channel).declare()
                connection.default_channel.basic_get(queue)
        app.close()
    with amqp.Connection(
        f"127.0.0.1:{server.port}",
        userid="payments",
        password=server.passwords["payments"],
        virtual_host=rabbitmq.SERVICES_VHOST,
    ) as connection:
        for attempt in FORBIDDEN:
            with pytest.raises(amqp.AccessRefused):
                attempt(connection.channel())


FORBIDDEN: list[Callable[[Any], Any]] = [
    lambda channel: channel.basic_get(events_queue("balance")),
    lambda channel: channel.basic_get(schedule_queue("checks")),
    lambda channel: channel.queue_purge(events_queue("balance")),
    lambda channel: channel.queue_delete(schedule_queue("checks")),
    lambda channel: channel.exchange_declare("mine", "fanout"),
]

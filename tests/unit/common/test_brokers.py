"""Settings of Celery that depend on the broker's URL."""

import pytest
from celery import Celery
from celery.utils.imports import symbol_by_name
from pydantic import SecretStr

from common.bus.celery_app import REDIS_TRANSPORT_OPTIONS, ScheduledTask, create_celery
from common.bus.rabbitmq import speaks_amqp
from common.bus.topology import events_queue, queues_of
from common.core.settings import BusSettings


def app(url: str) -> Celery:
    return create_celery("payments", BusSettings(broker_url=SecretStr(url)), [ScheduledTask("payments.poll", 5)])


@pytest.mark.parametrize("url", ["amqp://u:p@h:5672/v", "amqps://u:p@h/v", "pyamqp://u:p@h//", "amqp://a//;amqp://b//"])
def test_every_queue_on_rabbitmq_is_a_quorum_queue_in_the_default_exchange(url: str) -> None:
    assert speaks_amqp(url)
    made = app(url)
    queues = [made.amqp.queues[name] for name in (*queues_of("payments"), events_queue("balance"))]
    assert {queue.queue_arguments["x-queue-type"] for queue in queues} == {"quorum"}
    assert {(queue.exchange.name, queue.routing_key == queue.name, queue.durable) for queue in queues} == {
        ("", True, True)
    }
    assert made.conf.broker_transport_options == {"confirm_publish": True}


@pytest.mark.parametrize("url", ["redis://:p@h:6379/0", "rediss://h/0", "unix:///run/redis.sock", "memory://"])
def test_no_queue_on_another_broker_is_a_quorum_queue(url: str) -> None:
    assert not speaks_amqp(url)
    made = app(url)
    queues = [made.amqp.queues[name] for name in (*queues_of("payments"), events_queue("balance"))]
    assert not any(queue.queue_arguments for queue in queues)
    assert {queue.exchange.name for queue in queues} == {""}
    is_redis = not url.startswith("memory")
    own_keys = {
        "unacked_key": "payments.unacked",
        "unacked_index_key": "payments.unacked_index",
        "unacked_mutex_key": "payments.unacked_mutex",
    }
    assert made.conf.broker_transport_options == ({**REDIS_TRANSPORT_OPTIONS, **own_keys} if is_redis else {})
    assert made.conf.task_publish_retry is False


def test_consumer_on_rabbitmq_has_all_steps_except_delayed_delivery() -> None:
    plain = symbol_by_name(app("amqp://h//").conf.worker_consumer)
    usual = symbol_by_name(app("redis://h/0").conf.worker_consumer or "celery.worker.consumer:Consumer")
    left_out = set(usual.Blueprint.default_steps) - set(plain.Blueprint.default_steps)
    assert left_out == {"celery.worker.consumer.delayed_delivery:DelayedDelivery"}
    assert issubclass(plain, usual)
    assert len(plain.Blueprint.default_steps) > 5


@pytest.mark.parametrize("url", ["amqp://h//", "redis://h/0"])
def test_publishers_wait_for_confirms_for_a_bounded_time(url: str) -> None:
    (entry,) = app(url).conf.beat_schedule.values()
    assert 0 < entry["options"]["confirm_timeout"] <= 10

"""The scheduler runs every task when it starts, so a scheduler that is killed often delays none."""

import redis
from celery.beat import Scheduler

from common.bus.celery_app import ScheduledTask, create_celery
from common.bus.process import run_all_at_start
from common.bus.topology import schedule_queue
from common.core.settings import BusSettings
from tests.support.eventually import eventually


def test_all_tasks_are_due_at_the_start_and_then_at_their_interval(bus_settings: BusSettings) -> None:
    app = create_celery("checks", bus_settings, [ScheduledTask("hourly", 3600.0), ScheduledTask("often", 1.0)])
    run_all_at_start(app)
    scheduler = Scheduler(app=app, lazy=False)
    assert {name: entry.is_due().is_due for name, entry in scheduler.schedule.items()} == {
        "hourly": True,
        "often": True,
    }
    broker = redis.Redis.from_url(bus_settings.broker_url.get_secret_value())
    for _ in range(2):
        scheduler.tick()
    assert eventually(lambda: broker.llen(schedule_queue("checks"))) == 2
    assert scheduler.schedule["hourly"].is_due().is_due is False

"""The floor of the bus: Celery tasks that do nothing, one message each, on the broker of the system.

``python -m benchmarks.floors.celery_noop <broker url>`` is the worker.
"""

import subprocess
import sys
import time
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import redis
from celery import Celery

from benchmarks.system import System

_QUEUE: Final = "floor"
_DATABASE: Final = "/9"
_TIMEOUT_SECONDS: Final = 120.0


def _app(url: str) -> Celery:
    app = Celery("floor", broker=url, set_as_current=False)
    app.conf.update(task_default_queue=_QUEUE, task_ignore_result=True, task_acks_late=True)

    def nothing() -> None:
        """Do nothing: most messages of the bus cost more than their work."""

    app.task(name="floor.nothing", shared=False)(nothing)
    return app


def measure(system: System, tasks: int) -> float:
    """Return the tasks per second of one worker with two threads for a filled queue."""
    url = urlunsplit(urlsplit(system.redis_url)._replace(path=_DATABASE))
    app, broker = _app(url), redis.Redis.from_url(url)
    broker.flushdb()
    for _ in range(tasks):
        app.send_task("floor.nothing")
    worker = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.floors.celery_noop", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        first: tuple[float, int] | None = None
        while (left := int(broker.llen(_QUEUE))) > 0:
            if time.monotonic() > deadline:
                raise RuntimeError("the worker of the Celery floor does not work")
            if first is None and left < tasks:
                first = (time.monotonic(), left)
            time.sleep(0.01)
        began, waiting = first or (time.monotonic() - 0.01, tasks)
        return waiting / max(time.monotonic() - began, 0.01)
    finally:
        worker.terminate()
        worker.wait()
        broker.flushdb()
        broker.close()


if __name__ == "__main__":
    _app(sys.argv[1]).worker_main(
        ["worker", "--pool=threads", "--concurrency=2", "--without-gossip", "--without-mingle"]
    )

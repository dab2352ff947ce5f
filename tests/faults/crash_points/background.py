"""Runs all background work in one process, sequentially, until nothing is left to do.

It runs what workers, schedulers and relays run, with real messages on the real broker. The flows test these processes
separately, and kill them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from common.bus.process import BusProcess
from common.bus.topology import queues_of
from services.balance.worker import SEAL_TASK
from services.checks.worker import EXPIRE_TASK, FINISH_TASK
from services.payments.worker import POLL_TASK, REFUND_TASK

#: Scheduled tasks except those that only purge.
_SCHEDULED: Final = (
    ("checks", EXPIRE_TASK),
    ("checks", FINISH_TASK),
    ("payments", POLL_TASK),
    ("payments", REFUND_TASK),
    ("balance", SEAL_TASK),
)
MAX_ROUNDS: Final = 20


class Background:
    """Completes the work that is due now."""

    def __init__(self, bus: Mapping[str, BusProcess], deliver: Callable[[], int]) -> None:
        self._bus = bus
        self._deliver = deliver

    def work(self) -> None:
        for _ in range(MAX_ROUNDS):
            for service, task in _SCHEDULED:
                self._bus[service].app.tasks[task]()
            if not sum(self._moves()):
                return
        raise AssertionError(f"work is still left after {MAX_ROUNDS} rounds")

    def _moves(self) -> Iterator[int]:
        """Yield the numbers of sent notifications, sent events and consumed messages."""
        yield self._deliver()
        for process in self._bus.values():
            if process.relay is not None:
                yield process.relay.send_due()
        for service, process in self._bus.items():
            yield self._consume(service, process.app)

    @staticmethod
    def _consume(service: str, app: Any) -> int:
        taken = 0
        with app.pool.acquire(block=True) as connection:
            for queue in queues_of(service):
                while (message := connection.default_channel.basic_get(queue)) is not None:
                    arguments = message.payload[0]
                    app.tasks[message.headers["task"]](*arguments)
                    message.ack()  # after the task, as Celery is configured to do
                    taken += 1
        return taken

"""Everything that works in the background, in one process and one thing after the other, until nothing moves any more.

What it runs is what the workers, schedulers and relays run, with real messages at the real broker. That these processes
do it one by one, and when they are killed, is seen in the flows in which they have a part.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from common.bus.process import BusProcess
from common.bus.topology import queues_of
from services.balance.worker import SEAL_TASK
from services.checks.worker import EXPIRE_TASK, FINISH_TASK
from services.payments.worker import POLL_TASK, REFUND_TASK

#: What the schedule calls, save what only forgets.
_SCHEDULED: Final = (
    ("checks", EXPIRE_TASK),
    ("checks", FINISH_TASK),
    ("payments", POLL_TASK),
    ("payments", REFUND_TASK),
    ("balance", SEAL_TASK),
)
MAX_ROUNDS: Final = 20


class Background:
    """Knows no time: what is not due now is left for the next one."""

    def __init__(self, bus: Mapping[str, BusProcess], deliver: Callable[[], int]) -> None:
        self._bus = bus
        self._deliver = deliver

    def work(self) -> None:
        for _ in range(MAX_ROUNDS):
            for service, task in _SCHEDULED:
                self._bus[service].app.tasks[task]()
            if not sum(self._moves()):
                return
        raise AssertionError(f"something still moves after {MAX_ROUNDS} rounds")

    def _moves(self) -> Iterator[int]:
        """How many notifications, events and messages were moved on."""
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
                    message.ack()  # late, as Celery does it for us
                    taken += 1
        return taken

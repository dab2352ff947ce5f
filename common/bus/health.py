"""Progress and readiness of the bus processes.

Progress is a turn of a worker's event loop, a tick of a scheduler, or a pass of a relay.
"""

from typing import Any, Final

from celery import Celery, bootsteps
from celery.beat import Scheduler, SchedulingError
from celery.signals import task_postrun, task_prerun

from common.bus.celery_app import VISIBILITY_TIMEOUT_SECONDS
from common.health.progress import Activity, RunningTasks
from common.health.readiness import Check, State

#: Interval between two reports of a worker's event loop.
BEAT_SECONDS: Final = 1.0


class BusHealth:
    """What a bus process reports about its loop and about the broker."""

    def __init__(self, stalled_after_seconds: float) -> None:
        self.loop = Activity("loop", stalled_after_seconds)
        self.broker = State()

    def checks(self, role: str, database: Check) -> dict[str, Check]:
        """Return the checks of ``/readyz``. A scheduler only sends messages."""
        broker: dict[str, Check] = {"broker": self.broker.check}
        return broker if role == "scheduler" else {"database": database, **broker}

    def observe(self, *, succeeded: bool) -> None:
        """Record the end of a relay's pass. A failed pass is progress: the relay tries again."""
        self.loop.report()
        self.broker.set(available=succeeded)

    def watch_worker(self, app: Celery) -> None:
        """Report the event loop and the tasks of the worker that ``app`` runs in this process."""
        # A longer task would be delivered to a second worker.
        tasks = RunningTasks(VISIBILITY_TIMEOUT_SECONDS)
        task_prerun.connect(lambda task_id, **_: tasks.begin(task_id), weak=False)
        task_postrun.connect(lambda task_id, **_: tasks.end(task_id), weak=False)
        app.steps["consumer"].add(_consumer_step(self))

    def scheduler_class(self) -> type[Scheduler]:
        """Return a scheduler that reports its ticks."""
        health = self

        class ReportingScheduler(Scheduler):  # type: ignore[misc]
            def tick(self, *arguments: Any, **options: Any) -> float:
                seconds: float = super().tick(*arguments, **options)
                health.loop.report(idle_seconds=seconds)
                return seconds

            def apply_async(self, *arguments: Any, **options: Any) -> Any:
                try:
                    result = super().apply_async(*arguments, **options)
                except SchedulingError:
                    health.broker.set(available=False)
                    raise
                health.broker.set(available=True)
                return result

        return ReportingScheduler


def _consumer_step(health: BusHealth) -> type[bootsteps.StartStopStep]:
    class ConsumerProgress(bootsteps.StartStopStep):  # type: ignore[misc]
        """Follows the connection to the broker: Celery starts the step with it, and stops it when it is lost."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **_options: object) -> None:
            self._timer_entry: Any = None
            super().__init__(consumer)

        def start(self, consumer: Any) -> None:
            health.broker.set(available=True)
            health.loop.report()
            # The event loop calls it, so a loop that hangs does not.
            self._timer_entry = consumer.timer.call_repeatedly(BEAT_SECONDS, health.loop.report)

        def stop(self, _consumer: Any) -> None:
            health.broker.set(available=False)
            # Celery now connects again, for as long as the broker is away.
            health.loop.suspend()
            if self._timer_entry is not None:
                self._timer_entry.cancel()
                self._timer_entry = None

    return ConsumerProgress

"""Progress of a process: each activity states a time by which it must report again. Liveness follows from it.

The deadlines are a metric. With ``PROMETHEUS_MULTIPROC_DIR`` set, the metric covers all worker processes of a web
process, so the one that serves the operator port reports a stopped sibling.
"""

import math
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MULTIPROCESS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
BEAT_SECONDS: Final = 1.0

_NAME: Final = "fastcheck_progress_deadline_timestamp_seconds"
DEADLINE: Final = Gauge(
    _NAME,
    "Time by which the activity must make progress; later the process counts as not alive. +Inf: it waits",
    ("activity",),
    multiprocess_mode="liveall",
)


class Activity:
    """A loop that must make progress. It counts from its first report on."""

    def __init__(self, name: str, limit_seconds: float) -> None:
        """``limit_seconds`` is the longest time between two reports."""
        self._name = name
        self._limit_seconds = limit_seconds

    def report(self, idle_seconds: float = 0.0) -> None:
        """Report progress. The next report follows at the latest ``idle_seconds`` plus the limit from now."""
        DEADLINE.labels(self._name).set(time.time() + idle_seconds + self._limit_seconds)

    def suspend(self) -> None:
        """Expect no progress until the next report: the activity waits for another system."""
        DEADLINE.labels(self._name).set(math.inf)


class RunningTasks:
    """The tasks of a worker. The longest running one sets the deadline."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._deadlines: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self, task_id: str) -> None:
        with self._lock:
            self._deadlines[task_id] = time.time() + self._limit_seconds
            self._publish()

    def end(self, task_id: str) -> None:
        with self._lock:
            self._deadlines.pop(task_id, None)
            self._publish()

    def _publish(self) -> None:
        DEADLINE.labels("task").set(min(self._deadlines.values(), default=math.inf))


def stalled() -> list[str]:
    """Return the activities whose deadline has passed, with the process id if there are several processes."""
    now = time.time()
    late = (
        sample.labels
        for metric in _deadlines()
        for sample in metric.samples
        if sample.name == _NAME and sample.value < now
    )
    return sorted(
        f"{labels['activity']} of process {labels['pid']}" if "pid" in labels else labels["activity"] for labels in late
    )


def report_as_worker(limit_seconds: float) -> None:
    """Report progress from a thread, for siblings that serve the operator port; without siblings, do nothing."""
    if MULTIPROCESS_VARIABLE not in os.environ:
        return
    activity = Activity("process", limit_seconds)

    def beat() -> None:
        while True:
            activity.report()
            time.sleep(BEAT_SECONDS)

    threading.Thread(target=beat, name="progress", daemon=True).start()


def _deadlines() -> Iterable[Metric]:
    folder = os.environ.get(MULTIPROCESS_VARIABLE)
    if folder is None:
        return DEADLINE.collect()
    for file in Path(folder).glob("gauge_liveall_*.db"):
        pid = int(file.stem.rsplit("_", 1)[-1])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
    collected: Iterable[Metric] = MultiProcessCollector(CollectorRegistry()).collect()  # type: ignore[no-untyped-call]
    return collected

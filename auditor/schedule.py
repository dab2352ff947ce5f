"""Audits at intervals, until the process is asked to stop."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from auditor.findings import Report
from auditor.log_events import AUDIT_FAILED, BOOKS_AUDITED, BOOKS_UNREADABLE
from auditor.metrics import AuditMetrics
from common.core.logging import configure_logging, get_logger
from common.core.settings import OperatorPortSettings
from common.health import operator_port
from common.health.progress import Activity
from common.health.readiness import Readiness, State
from deploy.failure import LaunchError

log = get_logger(__name__)

#: Minimum idle time after an audit, as a multiple of its duration: large books must not keep the databases busy.
MIN_IDLE_PER_AUDIT: Final = 9.0
#: Maximum number of findings in one log line.
MAX_LOGGED: Final = 20
#: An audit that takes longer counts as stalled.
MAX_AUDIT_SECONDS: Final = 4 * 3600.0


def keep_auditing(
    audit_once: Callable[[], Report],
    *,
    every_seconds: float,
    port: OperatorPortSettings,
    ready_file: Path | None = None,
    log_level: str = "INFO",
) -> None:
    """Audit every ``every_seconds`` until SIGTERM or SIGINT, and log one JSON line per audit.

    An audit that fails is logged and counted; the next one runs as scheduled. The process is ready unless the last
    audit failed.
    """
    configure_logging("auditor", log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    metrics, books, loop = AuditMetrics(), State(), Activity("loop", port.stalled_after_seconds)
    books.set(available=True)
    readiness = Readiness({"books": books.check})
    operator_port.serve(operator_port.create_operator_app(readiness, metrics.registry), port)
    if ready_file is not None:
        ready_file.touch()
    while not stop.is_set():
        loop.report(idle_seconds=MAX_AUDIT_SECONDS)
        duration_seconds = run_once(audit_once, metrics)
        books.set(available=duration_seconds is not None)
        idle_seconds = max(every_seconds, MIN_IDLE_PER_AUDIT * (duration_seconds or 0.0))
        loop.report(idle_seconds)
        stop.wait(idle_seconds)


def run_once(audit_once: Callable[[], Report], metrics: AuditMetrics) -> float | None:
    """Run one audit, update the metrics, log one line; return its duration in seconds, None if it failed."""
    try:
        report = audit_once()
    except LaunchError as error:
        metrics.observe_failure()
        log.warning(BOOKS_UNREADABLE, reason=str(error))
        return None
    except Exception:
        # A defect of the auditor. The metrics count the failure, and the next audit may succeed.
        metrics.observe_failure()
        log.exception(AUDIT_FAILED)
        return None
    metrics.observe(report)
    write = log.info if report.is_clean else log.error
    write(
        BOOKS_AUDITED,
        clean=report.is_clean,
        findings=[f"{finding.subject}: {finding.message}" for finding in report.findings[:MAX_LOGGED]],
        in_flight=len(report.in_flight),
        head=f"{report.head.block_no}:{report.head.hash}" if report.head else None,
        duration_ms=round(report.seconds * 1000),
        **{name.replace(" ", "_").replace("-", "_"): count for name, count in report.counts.items()},
    )
    return report.seconds

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
from deploy.failure import LaunchError

log = get_logger(__name__)

#: Minimum idle time after an audit, as a multiple of its duration: large books must not keep the databases busy.
MIN_IDLE_PER_AUDIT: Final = 9.0
#: Maximum number of findings in one log line.
MAX_LOGGED: Final = 20


def keep_auditing(
    audit_once: Callable[[], Report],
    *,
    every_seconds: float,
    metrics_host: str = "127.0.0.1",
    metrics_port: int | None = None,
    ready_file: Path | None = None,
    log_level: str = "INFO",
) -> None:
    """Audit every ``every_seconds`` until SIGTERM or SIGINT, and log one JSON line per audit.

    An audit that fails is logged and counted; the next one runs as scheduled.
    """
    configure_logging("auditor", log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    metrics = AuditMetrics()
    if metrics_port is not None:
        metrics.serve(metrics_host, metrics_port)
    if ready_file is not None:
        ready_file.touch()
    while not stop.is_set():
        duration_seconds = run_once(audit_once, metrics)
        stop.wait(max(every_seconds, MIN_IDLE_PER_AUDIT * duration_seconds))


def run_once(audit_once: Callable[[], Report], metrics: AuditMetrics) -> float:
    """Run one audit, update the metrics, log one line; return its duration in seconds, 0 if it failed."""
    try:
        report = audit_once()
    except LaunchError as error:
        metrics.observe_failure()
        log.warning(BOOKS_UNREADABLE, reason=str(error))
        return 0.0
    except Exception:
        # A defect of the auditor. The metrics count the failure, and the next audit may succeed.
        metrics.observe_failure()
        log.exception(AUDIT_FAILED)
        return 0.0
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

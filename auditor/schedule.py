"""Audits at intervals, for as long as the system runs."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from auditor.findings import Report
from auditor.metrics import AuditMetrics
from common.core.logging import configure_logging, get_logger
from deploy.failure import LaunchError
from launcher.processes import READY_FILE_VARIABLE

log = get_logger(__name__)

#: Of its time an auditor works at most one part in so many, however large the books have become.
REST_PER_WORK: Final = 9.0
#: So many findings are logged one by one.
MAX_LOGGED: Final = 20


def keep_auditing(audit_once: Callable[[], Report], *, every_seconds: float, metrics_port: int | None) -> None:
    """Audit, rest, and start over, until SIGTERM or SIGINT. One JSON line in the log per audit."""
    configure_logging("auditor", "INFO")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    metrics = AuditMetrics()
    if metrics_port is not None:
        metrics.serve(metrics_port)
    if path := os.environ.get(READY_FILE_VARIABLE):
        Path(path).touch()
    while not stop.is_set():
        worked = run_once(audit_once, metrics)
        stop.wait(max(every_seconds, REST_PER_WORK * worked))


def run_once(audit_once: Callable[[], Report], metrics: AuditMetrics) -> float:
    """One audit with its figures and its line in the log; returns the seconds that it took."""
    try:
        report = audit_once()
    except LaunchError as error:
        metrics.observe_failure()
        log.warning("books could not be audited", reason=str(error))
        return 0.0
    except Exception:
        # A mistake of ours: the figures say that nothing was proved, and the next round may do better.
        metrics.observe_failure()
        log.exception("audit failed")
        return 0.0
    metrics.observe(report)
    say = log.info if report.is_clean else log.error
    say(
        "books audited",
        clean=report.is_clean,
        findings=[f"{finding.subject}: {finding.message}" for finding in report.findings[:MAX_LOGGED]],
        in_flight=len(report.in_flight),
        head=f"{report.head.block_no}:{report.head.hash}" if report.head else None,
        duration_ms=round(report.seconds * 1000),
        **{name.replace(" ", "_").replace("-", "_"): count for name, count in report.counts.items()},
    )
    return report.seconds

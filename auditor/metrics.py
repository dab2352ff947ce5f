"""The auditor's Prometheus metrics. The one to alert on is the time of the last clean audit."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from auditor.findings import Report


class AuditMetrics:
    """The metrics of one auditor process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._last_clean = self._gauge(
            "fastcheck_audit_last_clean_timestamp_seconds",
            "Start of the last audit without findings; 0: never",
        )
        self._last_run = self._gauge("fastcheck_audit_last_run_timestamp_seconds", "Start of the last audit")
        self._seconds = self._gauge("fastcheck_audit_seconds", "Duration of the last audit")
        self._findings = self._gauge("fastcheck_audit_findings", "Number of findings of the last audit")
        self._unsealed = self._gauge(
            "fastcheck_audit_unsealed_transfers", "Transfers that the chain does not cover yet"
        )
        self._block = self._gauge("fastcheck_audit_chain_block", "Number of the last block of the hash chain")
        self._in_flight = Gauge(
            "fastcheck_audit_in_flight",
            "Transfers decided and not yet posted at the last audit",
            registry=self.registry,
        )
        self._failures = Counter("fastcheck_audit_failures", "Audits that failed", registry=self.registry)

    def observe(self, report: Report) -> None:
        """Record the result of an audit."""
        started_at = report.started_at.timestamp() if report.started_at else 0.0
        self._last_run.set(started_at)
        if report.is_clean:
            self._last_clean.set(started_at)
        self._seconds.set(report.seconds)
        self._findings.set(len(report.findings))
        self._unsealed.set(report.counts.get("unsealed", 0))
        self._block.set(report.head.block_no if report.head else 0)
        self._in_flight.set(len(report.in_flight))

    def observe_failure(self) -> None:
        """Count an audit that failed."""
        self._failures.inc()

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(name, documentation, registry=self.registry)

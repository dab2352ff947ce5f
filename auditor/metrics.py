"""What Prometheus is told of the audits: above all when the books were last proved right."""

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from auditor.findings import Report
from launcher.ports import HOST


class AuditMetrics:
    """The figures of one auditing process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._last_clean = self._gauge(
            "fastcheck_audit_last_clean_timestamp_seconds",
            "When the last audit that found nothing wrong began; 0: never",
        )
        self._last_run = self._gauge("fastcheck_audit_last_run_timestamp_seconds", "When the last audit began")
        self._seconds = self._gauge("fastcheck_audit_seconds", "How long the last audit took")
        self._findings = self._gauge("fastcheck_audit_findings", "What the last audit found wrong")
        self._unsealed = self._gauge(
            "fastcheck_audit_unsealed_transfers", "Transfers that the chain does not cover yet"
        )
        self._block = self._gauge("fastcheck_audit_chain_block", "The number of the chain's last block")
        self._in_flight = Gauge(
            "fastcheck_audit_in_flight", "Moves of money that are under way, at the last audit", registry=self.registry
        )
        self._failures = Counter("fastcheck_audit_failures", "Audits that could not be made", registry=self.registry)

    def serve(self, port: int) -> None:
        """Answer ``GET /metrics`` from now on, in a thread of its own."""
        start_http_server(port, addr=HOST, registry=self.registry)

    def observe(self, report: Report) -> None:
        """Take the figures of an audit."""
        began = report.started_at.timestamp() if report.started_at else 0.0
        self._last_run.set(began)
        if report.is_clean:
            self._last_clean.set(began)
        self._seconds.set(report.seconds)
        self._findings.set(len(report.findings))
        self._unsealed.set(report.counts.get("unsealed", 0))
        self._block.set(report.head.block_no if report.head else 0)
        self._in_flight.set(len(report.in_flight))

    def observe_failure(self) -> None:
        """Count an audit that could not be made."""
        self._failures.inc()

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(name, documentation, registry=self.registry)

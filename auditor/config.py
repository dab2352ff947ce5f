"""The auditor's settings, read from ``FASTCHECK_*`` environment variables."""

from pathlib import Path

from pydantic import Field, SecretStr

from common.core.settings import OperatorPortSettings, Settings
from deploy.auditor import AUDITED, BANK, variable
from deploy.failure import CANNOT_RUN, LaunchError


class AuditorSettings(Settings):
    """The databases to read, and how often the auditor reads them."""

    audit_checks_database_url: SecretStr
    """URL of the database of checks with the auditor's role: `postgresql+psycopg2://fastcheck_auditor:…`."""
    audit_payments_database_url: SecretStr
    """URL of the database of payments with the auditor's role."""
    audit_balance_database_url: SecretStr
    """URL of the database of balance with the auditor's role."""
    audit_sandbox_bank_database_url: SecretStr | None = None
    """URL of the database of the sandbox bank with the auditor's role. Without it, payments are not compared."""
    audit_every_seconds: float = Field(default=300.0, ge=1)
    """Interval between the starts of two audits."""
    audit_head_file: Path | None = None
    """File that stores the head of the hash chain after each clean audit. The next audit expects this head."""
    audit_metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    """The auditor's operator port, if it differs from `FASTCHECK_METRICS_PORT`."""
    audit_metrics_host: str | None = None
    """Address of the auditor's operator port, if it differs from `FASTCHECK_METRICS_HOST`."""
    ready_file: Path | None = None
    """File that a process without HTTP creates when it is ready."""

    def operator_port(self) -> OperatorPortSettings:
        """Return the settings of the operator port."""
        return OperatorPortSettings(
            metrics_port=self.audit_metrics_port or self.metrics_port,
            metrics_host=self.audit_metrics_host or self.metrics_host,
            stalled_after_seconds=self.stalled_after_seconds,
        )

    def database_urls(self) -> dict[str, str]:
        """Return the URL of each database to read, by service name."""
        values = {name: getattr(self, variable(name).removeprefix("FASTCHECK_").lower()) for name in (*AUDITED, BANK)}
        return {name: url.get_secret_value() for name, url in values.items() if url and url.get_secret_value()}


def load() -> AuditorSettings:
    """Read the environment; raise LaunchError, with the exit code for "could not audit", if it is not complete."""
    try:
        return AuditorSettings.load()
    except SystemExit as error:
        # The exit code 1 of incomplete settings would mean "violations found" here.
        raise LaunchError(str(error.code), exit_code=CANNOT_RUN) from error

"""The auditor's settings, read from ``FASTCHECK_*`` environment variables."""

from pathlib import Path

from pydantic import Field, SecretStr

from common.core.settings import Settings
from deploy.auditor import AUDITED, BANK, variable
from deploy.failure import CANNOT_RUN, LaunchError


class AuditorSettings(Settings):
    """The databases to read, and how often the auditor reads them."""

    audit_checks_database_url: SecretStr
    audit_payments_database_url: SecretStr
    audit_balance_database_url: SecretStr
    #: The records of the sandbox bank; without it payments are not compared with a bank's records.
    audit_sandbox_bank_database_url: SecretStr | None = None
    #: Seconds from the start of one audit to the start of the next.
    audit_every_seconds: float = Field(default=300.0, ge=1)
    #: The file that holds the chain's head between audits; without it no earlier head is expected.
    audit_head_file: Path | None = None
    #: The port of ``GET /metrics``; without it no metrics are served.
    audit_metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    audit_metrics_host: str = "127.0.0.1"
    #: The file that the auditor creates when it is ready.
    ready_file: Path | None = None

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

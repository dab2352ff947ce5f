"""``fastcheck audit``"""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from auditor import once, schedule
from auditor.books import Scope
from cli import local_system
from cli.commands.options import data_dir_option, json_option
from common.core.secret_files import read_variable
from common.core.settings import OperatorPortSettings
from deploy.auditor import AUDITED, BANK, auditor_url, variable
from deploy.commands import READY_FILE_VARIABLE
from deploy.failure import CANNOT_RUN
from deploy.services import AUDITOR

_SPANS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def _instant(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    number, unit = value[:-1], value[-1:]
    if unit in _SPANS and number.isdecimal():
        return datetime.now(UTC) - timedelta(**{_SPANS[unit]: int(number)})
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("use 30m, 12h, 7d, or a time such as 2026-01-19T09:08:18Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@click.command()
@data_dir_option
@click.option(
    "--since", callback=_instant, help="Audit only changes since: 30m, 12h, 7d, or 2026-01-19T09:08:18Z (UTC)."
)
@click.option("--expect-head", metavar="HASH", help="A head of the hash chain that must still be in the chain.")
@click.option(
    "--head-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Store the head there after each clean audit, and expect it in the next one.",
)
@json_option
@click.option("--every", type=click.FloatRange(min=1), metavar="SECONDS", help="Audit at this interval until stopped.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="With --every: the operator port.")
def audit(
    *,
    data_dir: Path,
    since: datetime | None,
    expect_head: str | None,
    head_file: Path | None,
    as_json: bool,
    every: float | None,
    metrics_port: int | None,
) -> None:
    """Audit the books, and report every violation.

    Exit codes: 0 if there are no violations, 1 if there are, 2 if the databases cannot be audited.

    Reads the databases of checks, payments and balance (and of the sandbox bank) while the system runs, under a role
    that cannot write. Checks that every transfer sums to zero and is unchanged since the hash chain sealed it, that
    every balance follows from its entries, that every check and top-up has the transfers that its service recorded,
    and that the bank reports the same payments. Lists transfers that are decided and not yet posted, with the reason.

    Reads FASTCHECK_AUDIT_<SERVICE>_DATABASE_URL, or else the system in the data folder.
    """
    run = once.audit_with_head(lambda: database_urls(data_dir), Scope(since, expect_head), head_file)
    if every is None:
        sys.exit(once.report(run, as_json=as_json))
    ready_file = os.environ.get(READY_FILE_VARIABLE)
    schedule.keep_auditing(
        run,
        every_seconds=every,
        port=OperatorPortSettings() if metrics_port is None else OperatorPortSettings(metrics_port=metrics_port),
        ready_file=Path(ready_file) if ready_file else None,
    )


def database_urls(data_dir: Path) -> Mapping[str, str]:
    """Return the auditor's URL of each database by service name; raise LaunchError if they cannot be determined."""
    given = {name: read_variable(variable(name)) for name in (*AUDITED, BANK)}
    if all(given[name] for name in AUDITED):
        return {name: url for name, url in given.items() if url}
    system = local_system.require(data_dir, [variable(name) for name in AUDITED], exit_code=CANNOT_RUN)
    password = system.credentials.role_passwords[AUDITOR]
    return {
        name: url or system.database_url(auditor_url(name, password, system.postgres_address))
        for name, url in given.items()
    }

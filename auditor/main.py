"""The entry point of the auditor: a daemon, or with ``--once`` a single audit."""

import sys

import click

from auditor import config, once, schedule
from auditor.books import Scope
from deploy.failure import LaunchError


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--once", "is_once", is_flag=True, help="Audit once, print the report, and exit.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON object.")
def auditor(*, is_once: bool, as_json: bool) -> None:
    """Audit the databases of checks, payments and balance at intervals until SIGTERM.

    Reads FASTCHECK_AUDIT_<SERVICE>_DATABASE_URL and the other FASTCHECK_AUDIT_* variables; see auditor/README.md.

    Exit codes of --once: 0 if there are no violations, 1 if there are, 2 if the databases cannot be audited.
    """
    settings = config.load()
    audit = once.audit_with_head(settings.database_urls, Scope(), settings.audit_head_file)
    if is_once:
        sys.exit(once.report(audit, as_json=as_json))
    schedule.keep_auditing(
        audit,
        every_seconds=settings.audit_every_seconds,
        port=settings.operator_port(),
        ready_file=settings.ready_file,
        log_level=settings.log_level,
    )


def main() -> None:
    """Run the auditor; print an expected failure as one sentence on stderr and exit with its code."""
    try:
        auditor()
    except LaunchError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)

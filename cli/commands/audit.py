"""``fastcheck audit``"""

import json
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from auditor import books, schedule, sources
from auditor import head_file as kept_heads
from auditor.books import Scope
from auditor.findings import Report
from cli.commands.options import data_dir_option
from common.core.clock import format_utc
from common.core.money import MINOR_DIGITS, Money
from deploy.failure import LaunchError
from launcher.data_dir import DataDir

_SPANS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    number, unit = value[:-1], value[-1:]
    if unit in _SPANS and number.isdecimal():
        return datetime.now(UTC) - timedelta(**{_SPANS[unit]: int(number)})
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("say 30m, 12h, 7d, or a moment such as 2026-01-19T09:08:18Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@data_dir_option
@click.option("--since", callback=_moment, help="Only what changed since: 30m, 12h, 7d, or 2026-01-19T09:08:18Z (UTC).")
@click.option("--expect-head", metavar="HASH", help="A head of the chain that you kept: it must still be in the chain.")
@click.option(
    "--head-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the head there after each clean audit, and expect it the next time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--every", type=click.FloatRange(min=1), metavar="SECONDS", help="Audit again and again, until stopped.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="With --every: serve GET /metrics on this port.")
def audit(
    *,
    data_dir: DataDir,
    since: datetime | None,
    expect_head: str | None,
    head_file: Path | None,
    as_json: bool,
    every: float | None,
    metrics_port: int | None,
) -> None:
    """Prove that the books are right.

    Exit code 0: they are. 1: they are not, and where. 2: they could not be audited.

    Reads the databases of checks, payments and balance (and the sandbox bank's) as a role that can write nothing, while
    the system works. Every transfer must sum to zero and be what it was when the chain of hashes sealed it, every
    balance be what its entries make, every check and top-up stand in the ledger as its service says, and the bank must
    have said so. Money that is on its way is named, with the reason.
    """
    run = _audit_of(data_dir, since, expect_head, head_file)
    if every is not None:
        schedule.keep_auditing(run, every_seconds=every, metrics_port=metrics_port)
        return
    try:
        report = run()
    except LaunchError as error:
        raise LaunchError(str(error), exit_code=sources.COULD_NOT_AUDIT) from error
    except Exception as error:  # a mistake of ours must not look like books that are wrong, which is exit code 1
        traceback.print_exc()
        reason = f"The audit itself failed, and says nothing of the books: {type(error).__name__}"
        raise LaunchError(reason, exit_code=sources.COULD_NOT_AUDIT) from error
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(report)
    sys.exit(0 if report.is_clean else 1)


def _audit_of(
    data_dir: DataDir, since: datetime | None, expect_head: str | None, kept: Path | None
) -> Callable[[], Report]:
    def run() -> Report:
        expected = expect_head or (kept_heads.read(kept) if kept else None)
        with sources.opened(sources.urls(data_dir)) as opened:
            report = books.audit(opened, Scope(since, expected))
        if kept and report.is_clean and report.head:
            kept_heads.write(kept, report.head)
        return report

    return run


def _show(report: Report) -> None:
    console = Console()
    if report.totals:
        places = Table("place", "money", title="Where the money is")
        for place, totals in sorted(report.totals.items()):
            for currency, amount_minor in sorted(totals.items()):
                places.add_row(place, _amount(amount_minor, currency))
        console.print(places)
    for item in report.in_flight:
        console.print(f"on its way: {_amount(item.amount_minor, item.currency)}, {item.subject}: {item.reason}")
    if report.head:
        # In one piece, to be copied.
        click.echo(f"head of the chain: {report.head.block_no}:{report.head.hash}")
    what = f"since {format_utc(report.since)}" if report.since else "from the first entry on"
    compared = ", ".join(f"{count} {name}" for name, count in sorted(report.counts.items()))
    if report.is_clean:
        console.print(
            f"[green]The books are right[/green] {what}: {len(report.rules)} rules hold for {compared}"
            f" ({report.seconds:.1f} s)."
        )
        return
    for finding in report.findings:
        console.print(f"[red]WRONG[/red] {finding.subject}: {finding.message}", soft_wrap=True)
        console.print(f"      rule: {finding.rule}", soft_wrap=True)
    console.print(f"[red]The books are not right[/red] {what}: {len(report.findings)} findings for {compared}.")


def _amount(amount_minor: int, currency: str) -> str:
    """Books that are damaged may name a currency that there is not."""
    if currency not in MINOR_DIGITS:
        return f"{amount_minor} {currency}"
    return f"{'-' if amount_minor < 0 else ''}{Money(abs(amount_minor), currency)}"

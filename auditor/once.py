"""A single audit: read the databases, compare the chain's stored head, print the report."""

import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from auditor import books, head_file, sources
from auditor.books import Scope
from auditor.findings import Report
from common.core.clock import format_utc
from common.core.money import MINOR_DIGITS, Money
from deploy.failure import CANNOT_RUN, LaunchError

VIOLATIONS: Final = 1


def audit_with_head(urls: Callable[[], Mapping[str, str]], scope: Scope, file: Path | None) -> Callable[[], Report]:
    """Return a function that runs one audit.

    It connects to what ``urls()`` returns, expects the head stored in ``file`` unless ``scope`` names one, and stores
    the new head there if the audit finds no violation. It raises LaunchError if a database or the file cannot be read.
    """

    def run() -> Report:
        expected = scope.expected_head or (head_file.read(file) if file else None)
        with sources.opened(urls()) as opened:
            found = books.audit(opened, replace(scope, expected_head=expected))
        if file and found.is_clean and found.head:
            head_file.write(file, found.head)
        return found

    return run


def report(audit: Callable[[], Report], *, as_json: bool) -> int:
    """Run one audit, print its report, and return the exit code; raise LaunchError (exit code 2) if it cannot run."""
    try:
        found = audit()
    except LaunchError as error:
        raise LaunchError(str(error), exit_code=CANNOT_RUN) from error
    except Exception as error:  # a defect of the auditor must not exit with 1, which means "violations found"
        traceback.print_exc()
        reason = f"The audit itself failed and proves nothing about the books: {type(error).__name__}"
        raise LaunchError(reason, exit_code=CANNOT_RUN) from error
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(found)
    return 0 if found.is_clean else VIOLATIONS


def _show(found: Report) -> None:
    console = Console()
    if found.totals:
        places = Table("account", "total", title="Totals")
        for place, totals in sorted(found.totals.items()):
            for currency, amount_minor in sorted(totals.items()):
                places.add_row(place, _amount(amount_minor, currency))
        console.print(places)
    for item in found.in_flight:
        console.print(f"in flight: {_amount(item.amount_minor, item.currency)}, {item.subject}: {item.reason}")
    if found.head:
        # click does not wrap the line, so that it can be copied whole.
        click.echo(f"head of the chain: {found.head.block_no}:{found.head.hash}")
    what = f"since {format_utc(found.since)}" if found.since else "since the first entry"
    compared = ", ".join(f"{count} {name}" for name, count in sorted(found.counts.items()))
    if found.is_clean:
        console.print(
            f"[green]The books are right[/green] {what}: {len(found.rules)} rules hold for {compared}"
            f" ({found.seconds:.1f} s)."
        )
        return
    for finding in found.findings:
        console.print(f"[red]WRONG[/red] {finding.subject}: {finding.message}", soft_wrap=True)
        console.print(f"      rule: {finding.rule}", soft_wrap=True)
    console.print(f"[red]The books are not right[/red] {what}: {len(found.findings)} findings for {compared}.")


def _amount(amount_minor: int, currency: str) -> str:
    """Format an amount; a damaged database may hold a currency that Money does not know."""
    if currency not in MINOR_DIGITS:
        return f"{amount_minor} {currency}"
    return f"{'-' if amount_minor < 0 else ''}{Money(abs(amount_minor), currency)}"

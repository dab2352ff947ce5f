"""``fastcheck audit``"""

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from cli.audit import books, sources
from cli.audit.findings import Report
from cli.commands.options import data_dir_option
from cli.data_dir import DataDir
from common.core.money import Money


@click.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def audit(data_dir: DataDir, as_json: bool) -> None:
    """Prove that the books are right: exit 0, or say where they are not: exit 1.

    Reads the databases of checks, payments and balance as a role that cannot write, while the system works. Each
    transfer must sum to zero, each balance equal its entries, the escrow equal the active checks, and credited equal
    confirmed payments. Money that is on its way is named, with the reason.
    """
    with sources.opened(sources.urls(data_dir)) as opened:
        report = books.audit(opened)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(report)
    sys.exit(0 if report.is_clean else 1)


def _show(report: Report) -> None:
    console = Console()
    places = Table("place", "money", title="Where the money is")
    for place, totals in sorted(report.totals.items()):
        for currency, amount_minor in sorted(totals.items()):
            sign = "-" if amount_minor < 0 else ""
            places.add_row(place, f"{sign}{Money(abs(amount_minor), currency)}")
    console.print(places)
    for item in report.in_flight:
        console.print(f"on its way: {Money(item.amount_minor, item.currency)}, {item.subject}: {item.reason}")
    compared = ", ".join(f"{count} {name}" for name, count in sorted(report.counts.items()))
    if report.is_clean:
        console.print(f"[green]The books are right[/green]: {len(report.rules)} rules hold for {compared}.")
        return
    for finding in report.findings:
        console.print(f"[red]WRONG[/red] {finding.subject}: {finding.message}", soft_wrap=True)
        console.print(f"      rule: {finding.rule}")
    console.print(f"[red]The books are not right[/red]: {len(report.findings)} findings for {compared}.")

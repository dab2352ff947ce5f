"""The tables that a finished run prints."""

from collections import Counter
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.faults.chaos.outcome import Outcome

SHOWN_VIOLATIONS: Final = 50


def show(console: Console, outcome: Outcome) -> None:
    """Print the tables and the first violations of a finished run."""
    console.print(_counts(outcome))
    console.print(_rounds(outcome))
    for violation in outcome.violations[:SHOWN_VIOLATIONS]:
        console.print(f"[bold red]WRONG[/] {escape(violation)}", soft_wrap=True, highlight=False)
    if len(outcome.violations) > SHOWN_VIOLATIONS:
        console.print(f"[bold red]... and {len(outcome.violations) - SHOWN_VIOLATIONS} more[/]")
    result = "[bold green]Clean[/]" if outcome.is_clean else f"[bold red]{len(outcome.violations)} violations[/]"
    longest = outcome.longest_settling
    settled = "not settled" if longest is None else f"settled at most {longest:.1f} s after the last fault"
    console.print(
        f"{result}: seed {outcome.options.seed}, {len(outcome.operations)} operations, {outcome.per_second:.1f} a"
        f" second while faults struck; {len(outcome.happened)} faults; {settled}. Details: {outcome.options.out}",
        soft_wrap=True,
    )


def _counts(outcome: Outcome) -> Table:
    table = Table("what", "result", "times", title="Operations, requests and faults")
    for (kind, end), count in sorted(outcome.operations_by_outcome().items()):
        table.add_row(kind, end, str(count))
    table.add_section()
    for status, count in sorted(outcome.responses_by_status().items()):
        table.add_row("request", status, str(count))
    table.add_section()
    struck = Counter((each.fault.kind.value, "missed" if each.missed else "struck") for each in outcome.struck)
    for (kind, end), count in sorted(struck.items()):
        table.add_row(kind, end, str(count))
    return table


def _rounds(outcome: Outcome) -> Table:
    columns = ("round", "money settled", "last response", "all settled", "audit during faults", "checks compared")
    table = Table(*columns, title="Rounds: seconds after the last fault")
    for each in outcome.rounds:
        times = [each.money_settled, each.finished, each.settled]
        audit = {True: "clean", False: "NOT clean", None: "no database"}[each.audit_during_faults]
        seconds = ["never" if at is None else f"{at:.1f}" for at in times]
        table.add_row(str(each.number), *seconds, audit, str(each.compared.get("checks", "")))
    return table

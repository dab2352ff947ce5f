"""Output of a run: a live line during the run, tables at its end."""

import time
from collections import Counter
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tests.faults.chaos.outcome import Outcome
from tests.faults.chaos.run import Run

WINDOW_SECONDS: Final = 5


class Screen:
    """Shows a run on a terminal or in a log."""

    def __init__(self, console: Console, minutes: float) -> None:
        self._console = console
        self._expected_seconds = minutes * 60
        self._began = time.monotonic()
        self._run: Run | None = None
        self._live = Live(console=console, get_renderable=self._now, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._live.stop()

    def watch(self, run: Run) -> None:
        """Show this run from now on."""
        self._run = run
        self._began = time.monotonic()

    def say(self, sentence: str) -> None:
        """Print a permanent line."""
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def _now(self) -> Group:
        elapsed = time.monotonic() - self._began
        bar = ProgressBar(total=self._expected_seconds, completed=min(elapsed, self._expected_seconds), width=40)
        return Group(bar, Text(f"{elapsed:5.0f} s  {self._totals()}"))

    def _totals(self) -> str:
        run = self._run
        if run is None:
            return "starting the system"
        tally, now = run.workload.tally, int(time.time())
        recent = sum(tally.finished_at[now - back] for back in range(1, WINDOW_SECONDS + 1)) / WINDOW_SECONDS
        samples = [sample.in_flight for sample in run.sampler.samples[-1:]]
        moving = f"{samples[0] / 100:,.0f} roubles in flight" if samples and samples[0] is not None else "no database"
        faults = len(run.injector.happened)
        last = run.injector.happened[-1].fault.title if faults else ""
        return f"{run.phase} | {tally.total} operations, {recent:.0f}/s | {moving} | {faults} faults; {last}"


def show(console: Console, outcome: Outcome) -> None:
    """Print the tables of a finished run."""
    console.print(_operations(outcome))
    console.print(_faults(outcome))
    console.print(_rounds(outcome))
    console.print(_totals(outcome))
    for violation in outcome.violations[:50]:
        console.print(f"[bold red]WRONG[/] {escape(str(violation))}", soft_wrap=True, highlight=False)
    if len(outcome.violations) > 50:
        console.print(f"[bold red]... and {len(outcome.violations) - 50} more[/]")
    result = "[bold green]Clean[/]" if outcome.is_clean else f"[bold red]{len(outcome.violations)} violations[/]"
    console.print(f"{result}: seed {outcome.options.seed}, {outcome.tally.total} operations, ", end="")
    console.print(f"{len(outcome.happened)} faults. Details are in {outcome.options.out}.", soft_wrap=True)


def _operations(outcome: Outcome) -> Table:
    table = Table("operation", "ended with", "times", title="Operations of clients")
    kinds: dict[str, Counter[str]] = {}
    for (kind, end), count in outcome.tally.operations.items():
        kinds.setdefault(kind, Counter())[end] += count
    for kind in sorted(kinds):
        for place, (end, count) in enumerate(kinds[kind].most_common()):
            table.add_row(kind if place == 0 else "", end, str(count))
    table.add_section()
    for response, count in sorted(outcome.tally.requests.items()):
        table.add_row("single requests" if response == min(outcome.tally.requests) else "", response, str(count))
    return table


def _faults(outcome: Outcome) -> Table:
    table = Table("fault", "struck", "missed", title="Faults")
    struck = Counter(each.fault.kind.value for each in outcome.happened)
    missed = Counter(each.fault.kind.value for each in outcome.struck if each.missed)
    for kind in sorted(struck | missed):
        table.add_row(kind, str(struck[kind]), str(missed[kind] or ""))
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


def _totals(outcome: Outcome) -> Table:
    table = Table("figure", "value", title="Totals", show_header=False)
    longest = outcome.longest_settling
    table.add_row("seed", str(outcome.options.seed))
    table.add_row("clients", str(outcome.options.clients))
    table.add_row("replicas", str(outcome.options.replicas))
    table.add_row("bus", outcome.options.bus)
    table.add_row("seconds", f"{outcome.seconds:.0f}")
    table.add_row("operations", f"{outcome.tally.total} ({outcome.tally.moving} that move money)")
    table.add_row("operations per second, while faults strike", f"{outcome.per_second:.1f}")
    table.add_row("faults", str(len(outcome.happened)))
    table.add_row("longest time to settle", "never" if longest is None else f"{longest:.1f} s")
    return table

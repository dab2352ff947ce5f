"""The terminal output of the demo: a line per finished step, a progress bar, a closing table."""

import time
from collections.abc import Callable
from textwrap import indent
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from launcher.demo.failure import StepFailed
from launcher.demo.scenario import Scenario, roubles


class Screen:
    """Shows the steps with their durations."""

    def __init__(self, steps: int) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            # Last and truncated, so that a long title does not displace the bar.
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=Console(highlight=False),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=steps)
        self._number = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, title: str, action: Callable[[], str]) -> None:
        """Run one step and print it; raise StepFailed with its number and title."""
        self._number += 1
        self._progress.update(self._task, description=escape(title))
        started = time.monotonic()
        try:
            remark = action()
        except StepFailed as error:
            self._print(f"[bold red]✗ {self._number:2d}. {escape(title)}[/]")
            raise StepFailed(f"Step {self._number} failed ({title}): {error}") from error
        self._print(
            f"[green]✓[/] [bold]{self._number:2d}. {escape(title)}[/] [dim]({time.monotonic() - started:.1f} s)[/]\n"
            f"[cyan]{escape(indent(remark, '      '))}[/]"
        )
        self._progress.advance(self._task)

    def closing_table(self, scenario: Scenario) -> None:
        """Print the final balances and the history of each user."""
        users = Table("user", "balance", "active checks", "history", title="Result")
        for user in (scenario.alice, scenario.bob):
            lines = [f"{item['fastcheck']} {item['type']}: {item['status']}" for item in user.history()]
            users.add_row(user.name, roubles(user.balance()), str(len(user.active())), "\n".join(lines))
        self._progress.console.print(users)

    def _print(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True)

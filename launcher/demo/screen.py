"""What the demo shows: a line for each finished step, a bar below them, a table at the end."""

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
    """Shows the steps as they happen, and remembers what they took."""

    def __init__(self, steps: int) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            # Last, and cut off where the terminal ends: a long title must not push the bar away.
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
        """Run one step; a failure is shown under its title and passed on with it."""
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
        """What everybody has in the end, and what became of every check."""
        people = Table("who", "balance", "active checks", "history", title="In the end")
        for user in (scenario.anna, scenario.boris):
            lines = [f"{item['fastcheck']} {item['type']}: {item['status']}" for item in user.history()]
            people.add_row(user.name, roubles(user.balance()), str(len(user.active())), "\n".join(lines))
        self._progress.console.print(people)

    def _print(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True)

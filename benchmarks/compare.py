"""Measure another commit against the present tree: ``python -m benchmarks.compare COMMIT``.

Starts a system of each on this machine, loads them alternately (ABBA...), and prints medians and ratios. Both are
audited at the end.
"""

import json
import os
import platform
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks import auditing, checkouts, comparison, curves, side_by_side, system
from benchmarks.comparison import Plan, Subject

_DEFAULTS = Plan()


def _numbers(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter("give numbers such as 1,8,32") from None
    if min(numbers) < 1:
        raise click.BadParameter("at least one client is needed")
    return numbers


@click.command()
@click.argument("commit")
@click.option(
    "--clients",
    default=",".join(map(str, _DEFAULTS.clients)),
    show_default=True,
    callback=_numbers,
    help="Numbers of concurrent clients.",
)
@click.option("--rounds", default=_DEFAULTS.rounds, show_default=True, help="Rounds per number of clients.")
@click.option("--seconds", default=_DEFAULTS.seconds, show_default=True, help="Seconds per operation and round.")
@click.option("--users", default=_DEFAULTS.users, show_default=True, help="Users who share the load.")
@click.option("--charts", type=click.Path(file_okay=False, path_type=Path), help="Folder to write SVG charts to.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="File to write figures to.")
@click.option("--audit/--no-audit", default=True, show_default=True, help="Audit both systems at the end.")
def main(
    *,
    commit: str,
    clients: tuple[int, ...],
    rounds: int,
    seconds: float,
    users: int,
    charts: Path | None,
    json_file: Path | None,
    audit: bool,
) -> None:
    """Compare COMMIT with the present tree under the same load."""
    plan = Plan(clients=clients, rounds=rounds, seconds=seconds, users=users)
    with ExitStack() as stack:
        other = stack.enter_context(checkouts.built(commit))
        versions = {checkouts.short_name(commit): other, "present": checkouts.PRESENT}
        subjects = [
            Subject(name, stack.enter_context(system.started(checkout=checkout))) for name, checkout in versions.items()
        ]
        comparison.measure(subjects, plan, _say)
        if audit:
            for subject, checkout in zip(subjects, versions.values(), strict=True):
                _say(f"{subject.name}: {auditing.audited(subject.system, checkout)}")
    before, after = subjects
    click.echo(f"Machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}; the load shares it.\n")
    click.echo(side_by_side.table(before, after, plan))
    if charts:
        curves.write(charts, before.series(plan) | after.series(plan))
    if json_file:
        figures = {
            subject.name: [asdict(subject.figures(o, c)) for o in comparison.OPERATIONS for c in plan.clients]
            for subject in subjects
        }
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()

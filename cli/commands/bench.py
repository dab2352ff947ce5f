"""``fastcheck bench``"""

import importlib
from pathlib import Path
from typing import Any, Final

import click

from deploy.failure import LaunchError

DEFAULT_CHART: Final = "bench.svg"


@click.command()
@click.option("--quick", is_flag=True, help="A fraction of everything: shows that it works, measures nothing.")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_CHART,
    show_default=True,
    help="The file to write the chart to.",
)
@click.option(
    "--curves",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder to write curves over the number of clients to.",
)
@click.option("--replicas", type=click.IntRange(1, 8), default=1, show_default=True, help="As of `fastcheck up`.")
def bench(quick: bool, svg: Path, curves: Path | None, replicas: int) -> None:
    """Measure how fast FastCheck is on this machine, and hold it against what the machine could do at best.

    Starts a system of its own in a temporary folder, as `fastcheck up` starts it (with the limits of rate off), loads
    it through its gateway, checks its books and removes it. Takes about six minutes. Other work on the machine
    spoils the figures. wrk is used for reads if it is installed.
    """
    report = _run(quick, replicas)
    rendering = _part("rendering")
    click.echo(rendering.as_text(report))
    svg.write_text(rendering.as_svg(report))
    click.echo(f"The chart is in {svg}.", err=True)
    if curves:
        _part("curves").write(curves, report.series())


def _run(quick: bool, replicas: int) -> Any:
    run, system, books = _part("run"), _part("system"), _part("auditing")
    with system.started(replicas=replicas) as running:
        report = run.measure(running, run.QUICK if quick else run.Plan(), lambda text: click.echo(text, err=True))
        click.echo(books.audited(running), err=True)
    return report


def _part(name: str) -> Any:
    """The benchmarks are part of the sources and not of what is installed."""
    try:
        return importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("benchmarks"):
            raise
        raise LaunchError("The benchmarks are not here: run this from a checkout of the sources.") from error

"""``fastcheck demo``"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from cli.commands.options import data_dir_option, tls_option
from deploy.failure import LaunchError
from launcher import state
from launcher.data_dir import DataDir
from launcher.demo import own_system
from launcher.demo.failure import StepFailed, check
from launcher.demo.scenario import Scenario
from launcher.demo.screen import Screen
from launcher.tls import ca_file

AUDIT_TIMEOUT_SECONDS: Final = 60
#: The minimum lifetime of a check with default settings, in seconds.
ORDINARY_LIFETIME_SECONDS: Final = 60


@click.command()
@click.option("--url", help="The URL of a running system to use instead of a temporary one.")
@data_dir_option
@click.option(
    "--lifetime",
    type=click.IntRange(min=1),
    help="Lifetime of the check that expires, in seconds.  [default: 60 with --url, else 4]",
)
@click.option("--pgbouncer", is_flag=True, help="Connect the demo's own system through PgBouncer.")
@tls_option
def demo(url: str | None, data_dir: Path, lifetime: int | None, *, pgbouncer: bool, tls: bool) -> None:
    """Run the main scenario over the public API and verify each step.

    Two users register. One tops up by card at the sandbox bank and creates three checks. The other accepts the first;
    the second is cancelled; the third expires. Then the books are audited.

    Starts a temporary system and removes it at the end. With --url it uses a running one; --data-dir then names that
    system's data folder, so that its books can be audited too, and its CA is trusted.

    Exit code 1, with the name of the step, if one fails.
    """
    url = url.rstrip("/") if url else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        lifetime = lifetime or (ORDINARY_LIFETIME_SECONDS if url else own_system.LIFETIME_SECONDS)
        options = [*(["--pgbouncer"] if pgbouncer else []), *(["--tls"] if tls else [])]
        _run_scenario(url, data_dir, lifetime, options)
    except StepFailed as error:
        raise LaunchError(str(error)) from error
    click.echo("Every step succeeded.")


def _run_scenario(url: str | None, data_dir: Path, lifetime_seconds: int, options: Sequence[str]) -> None:
    audited = not url or state.now(DataDir(data_dir)).gateway_url == url
    steps = len(Scenario("", lifetime_seconds).steps()) + (not url) + audited
    with ExitStack() as stack, Screen(steps) as screen:
        if not url:
            data_dir, url = _own_system(stack, screen, options)
        ca = ca_file(data_dir)
        scenario = Scenario(url, lifetime_seconds, ca if audited and url.startswith("https:") else None)
        for title, action in scenario.steps():
            screen.step(title, action)
        if audited:
            screen.step("The books of all services are audited", lambda: _audit(data_dir))
        screen.closing_table(scenario)


def _own_system(stack: ExitStack, screen: Screen, options: Sequence[str]) -> tuple[Path, str]:
    started: list[tuple[Path, str]] = []

    def start() -> str:
        started.append(stack.enter_context(own_system.started(*options)))
        return started[0][1]

    screen.step("A system starts: databases, broker, services, workers and schedulers", start)
    return started[0]


def _audit(data_dir: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "cli", "audit", "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
        timeout=AUDIT_TIMEOUT_SECONDS,
    )
    lines = (result.stdout + result.stderr).strip().splitlines()
    check(result.returncode == 0, f"`fastcheck audit` ended with code {result.returncode}: {' '.join(lines[-3:])}")
    # The last sentence, which may be wrapped.
    sentence = " ".join(line.strip() for line in lines)
    return sentence[sentence.rfind("The books are right") :]

"""``fastcheck demo``"""

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from cli.commands.options import data_dir_option
from deploy.failure import LaunchError
from launcher import state
from launcher.data_dir import DataDir
from launcher.demo import own_system
from launcher.demo.failure import StepFailed, check
from launcher.demo.scenario import Scenario
from launcher.demo.screen import Screen

AUDIT_TIMEOUT_SECONDS: Final = 60
#: The shortest life that a system with ordinary settings allows.
ORDINARY_LIFETIME_SECONDS: Final = 60


@click.command()
@click.option("--url", help="Play on a system that runs already, at this address, and not on one of the demo's own.")
@data_dir_option
@click.option(
    "--lifetime",
    type=click.IntRange(min=1),
    help="Seconds that the check lives which expires.  [default: 60 with --url, else 4]",
)
def demo(url: str | None, data_dir: Path, lifetime: int | None) -> None:
    """Play the whole scenario over the public API, and check it.

    Two people register. One tops up by card at the sandbox bank and writes three checks: the other accepts the first,
    the second is cancelled, the third expires and its money comes back. Then the books are checked.

    Starts a system of its own in a temporary folder, and removes both at the end. With --url it plays on a running
    one instead; --data-dir then says where that one lives, so that its books can be checked too.

    Ends with code 1 and names the step when one fails.
    """
    url = url.rstrip("/") if url else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _play(url, data_dir, lifetime or (ORDINARY_LIFETIME_SECONDS if url else own_system.LIFETIME_SECONDS))
    except StepFailed as error:
        raise LaunchError(str(error)) from error
    click.echo("All of it happened as it should.")


def _play(url: str | None, data_dir: Path, lifetime_seconds: int) -> None:
    audited = not url or state.now(DataDir(data_dir)).gateway_url == url
    steps = len(Scenario("", lifetime_seconds).steps()) + (not url) + audited
    with ExitStack() as stack, Screen(steps) as screen:
        if not url:
            data_dir, url = _own_system(stack, screen)
        scenario = Scenario(url, lifetime_seconds)
        for title, action in scenario.steps():
            screen.step(title, action)
        if audited:
            screen.step("The books of all services are checked", lambda: _audit(data_dir))
        screen.closing_table(scenario)


def _own_system(stack: ExitStack, screen: Screen) -> tuple[Path, str]:
    started: list[tuple[Path, str]] = []

    def start() -> str:
        started.append(stack.enter_context(own_system.started()))
        return started[0][1]

    screen.step("A system is started: databases, broker, every service, worker and scheduler", start)
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
    # The last sentence, which the terminal may have broken into lines.
    sentence = " ".join(line.strip() for line in lines)
    return sentence[sentence.rfind("The books are right") :]

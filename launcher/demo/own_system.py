"""A temporary system for the demo."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.environment import PREFIX
from launcher.children import Child, Launch
from launcher.demo.failure import StepFailed

#: Short lifetimes of checks and a sweep every second, so that a check expires within seconds.
SETTINGS: Final = {"FASTCHECK_MIN_CHECK_LIFETIME_SECONDS": "1", "FASTCHECK_EXPIRY_SWEEP_SECONDS": "1"}
LIFETIME_SECONDS: Final = 4

READY: Final = "FastCheck is ready: "
START_TIMEOUT_SECONDS: Final = 120.0
STOP_TIMEOUT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05


@contextmanager
def started(*options: str) -> Iterator[tuple[Path, str]]:
    """Run ``fastcheck up`` in a temporary folder; yield its data folder and the gateway's URL.

    ``options`` are options of ``fastcheck up``.
    """
    folder = Path(tempfile.mkdtemp(prefix="fastcheck-demo-"))
    log = folder / "up.log"
    data_dir = folder / "data"
    child = Child(
        Launch(
            name="fastcheck up",
            command=[sys.executable, "-m", "cli", "up", "--data-dir", str(data_dir), *options],
            # Variables of the caller's environment may point at another system.
            env={**{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}, **SETTINGS},
            log=log,
        )
    )
    try:
        yield data_dir, _wait_for_url(child, log)
    finally:
        child.ask_to_stop()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        child.end_group()
        shutil.rmtree(folder)


def _wait_for_url(child: Child, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        lines = log.read_text().splitlines()
        for line in lines:
            if line.startswith(READY):
                return line.removeprefix(READY)
        if child.poll() is not None:
            raise StepFailed(lines[-1] if lines else f"`fastcheck up` ended with code {child.poll()}")
        time.sleep(POLL_SECONDS)
    raise StepFailed(f"the system was not ready after {START_TIMEOUT_SECONDS:.0f} seconds")

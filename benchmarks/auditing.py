"""The books are audited after every measurement: a system that is fast and wrong must not be reported."""

import subprocess

from benchmarks.checkouts import PRESENT, Checkout
from benchmarks.system import System


def audited(system: System, checkout: Checkout = PRESENT) -> str:
    """Return the last line of ``fastcheck audit``; raise RuntimeError if the books are not right."""
    command = [checkout.python, "-m", "cli", "audit", "--data-dir", str(system.data_dir.path)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=checkout.folder, env=checkout.environment()
    )
    if result.returncode:
        raise RuntimeError(f"the books are not right after the measurement:\n{result.stdout[-3000:]}{result.stderr}")
    return result.stdout.strip().splitlines()[-1]

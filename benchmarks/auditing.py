"""After every measurement the books are checked: a fast wrong answer is worth nothing."""

import subprocess
import sys

from benchmarks.system import System


def audited(system: System) -> str:
    """The last line of ``fastcheck audit``; raises RuntimeError when the books are not right."""
    command = [sys.executable, "-m", "cli", "audit", "--data-dir", str(system.data_dir.path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"the books are not right after the measurement:\n{result.stdout[-3000:]}{result.stderr}")
    return result.stdout.strip().splitlines()[-1]

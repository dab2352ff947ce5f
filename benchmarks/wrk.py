"""wrk as the load generator for requests that may be repeated without end (https://github.com/wg/wrk)."""

import resource
import shutil
import subprocess
import tempfile
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.load import Outcome

THREADS: Final = 2
_SCRIPT: Final = Path(__file__).with_name("wrk.lua")
_TIMEOUT_SECONDS: Final = 30


def is_installed() -> bool:
    """Return whether the program is on the path (``apt install wrk``, ``brew install wrk``)."""
    return shutil.which("wrk") is not None


def run(url: str, requests: Sequence[bytes], *, connections: int, seconds: float) -> Outcome:
    """Send the requests over and over for whole seconds, at least one; raise RuntimeError when responses are lost.

    wrk reports a histogram: ``latencies`` holds its 1,000 per-mille quantiles in place of one value per response, and
    every response that is no success is counted under status 0.
    """
    threads = min(THREADS, connections)
    with tempfile.TemporaryDirectory() as folder:
        stem = str(Path(folder) / "requests.")
        for number in range(threads):
            own = requests[number::threads] or requests
            Path(f"{stem}{number}").write_bytes(b"".join(b"%d\n%b" % (len(one), one) for one in own))
        command = ["wrk", f"--threads={threads}", f"--connections={connections}", f"--timeout={_TIMEOUT_SECONDS}s"]
        command += [f"--duration={max(1, round(seconds))}s", f"--script={_SCRIPT}", url, "--", stem]
        before = _cpu_seconds_of_children()
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        used = _cpu_seconds_of_children() - before
    return _parsed(result.stdout, result.stderr, used)


def _parsed(text: str, stderr: str, cpu_seconds: float) -> Outcome:
    lines = [line.split() for line in text.splitlines()]
    totals = next(([int(part) for part in line[1:]] for line in lines if line[:1] == ["done"]), None)
    if totals is None:
        raise RuntimeError(f"wrk did not measure: {stderr.strip() or text.strip()[-300:]}")
    requests, microseconds, failed, lost = totals
    if lost:
        raise RuntimeError(f"{lost} requests had no response")
    return Outcome(
        latencies=array("d", [int(line[1]) / 1e6 for line in lines if line[:1] == ["latency"]]),
        statuses=Counter({200: requests - failed, 0: failed}),
        began=0.0,
        ended=microseconds / 1e6,
        cpu_seconds=cpu_seconds,
        # Its threads are in one process; each may use a core.
        processes=THREADS,
    )


def _cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

"""CPU profile of each hot path by part of the system: ``python -m benchmarks.profiling``.

py-spy samples every web process some hundred times a second while a path is loaded, and records the thread that holds
the GIL. A sample is attributed to the part of the system whose code is nearest; library code counts as the part that it
serves.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import system, user_pool
from benchmarks.scenarios import requests
from benchmarks.user_pool import User

CONNECTIONS: Final = 16
SECONDS: Final = 12
SAMPLES_PER_SECOND: Final = 400
PROCESSES: Final = ("gateway-web", "checks-web", "balance-web")

#: Substring of a source path -> part of the system. The first match counts.
PARTS: Final[Sequence[tuple[str, str]]] = (
    ("redis/", "Redis"),
    ("gateway/scripts", "Redis"),
    ("gateway/repository", "Redis"),
    ("web/wire", "hop to the next service"),
    ("web/client", "hop to the next service"),
    ("sqlalchemy/", "database"),
    ("psycopg2", "database"),
    ("common/db/", "database"),
    ("structlog/", "log and metrics"),
    ("core/logging", "log and metrics"),
    ("prometheus_client/", "log and metrics"),
    ("web/metrics", "log and metrics"),
    ("pydantic/", "parsing and rendering"),
    ("web/parse", "parsing and rendering"),
    ("web/body", "parsing and rendering"),
    ("cryptography/", "codes and tokens"),
    ("checks/codes", "codes and tokens"),
    ("web/identity", "codes and tokens"),
    ("jwt/", "codes and tokens"),
    ("common/http/", "our part of each request"),
    ("core/trace", "our part of each request"),
    ("services/", "rules"),
    ("common/", "rules"),
    ("flask", "Flask and werkzeug"),
    ("werkzeug/", "Flask and werkzeug"),
    ("granian/", "server"),
)


def part_of(stack: str) -> str:
    """Return the part to which a sample is attributed; ``stack`` is in py-spy's raw format, outermost first."""
    for frame in reversed(stack.split(";")):
        for mark, part in PARTS:
            if mark in frame:
                return part
    return "other"


def profile(running: system.System, act: Callable[[], object]) -> dict[str, Counter[str]]:
    """Return samples by part for each web process, while ``act`` loads the system for SECONDS."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = {name: Path(folder) / name for name in PROCESSES}
        spies = [stack.enter_context(_spy(_worker_of(running.processes[name]), file)) for name, file in files.items()]
        act()
        for spy in spies:
            spy.wait()
        return {name: _counted(file) for name, file in files.items()}


def _spy(pid: int, file: Path) -> "subprocess.Popen[bytes]":
    command = [str(Path(sys.executable).parent / "py-spy"), "record", "--gil", f"--rate={SAMPLES_PER_SECOND}"]
    command += [f"--duration={SECONDS - 1}", "--format=raw", f"--output={file}", f"--pid={pid}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _worker_of(pid: int) -> int:
    """Return the pid of granian's worker, the only child of the started process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _counted(file: Path) -> Counter[str]:
    parts: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, looks = line.rpartition(" ")
        parts[part_of(stack)] += int(looks)
    return parts


def table(profiles: Mapping[str, Mapping[str, Counter[str]]]) -> str:
    """Return a Markdown table with each part's share of the CPU time, by path and process."""
    columns = [
        (path, name) for path, found in profiles.items() for name in PROCESSES if sum(found[name].values()) > SECONDS
    ]
    lines = ["| |" + "".join(f" {path}: {name.removesuffix('-web')} |" for path, name in columns)]
    lines += ["| --- |" + " ---: |" * len(columns)]
    for part in dict.fromkeys([part for _, part in PARTS] + ["other"]):
        shares = [profiles[path][name][part] / sum(profiles[path][name].values()) for path, name in columns]
        if any(shares):
            lines.append(f"| {part} |" + "".join(f" {share:.0%} |" for share in shares))
    return "\n".join(lines)


def main() -> None:
    """Profile each path and print the table."""
    with system.started() as running:
        users = user_pool.register(running, CONNECTIONS)
        user_pool.enrich(running, users)
        print(table(_of_all_paths(running, users)))


def _of_all_paths(running: system.System, users: Sequence[User]) -> dict[str, dict[str, Counter[str]]]:
    url = running.gateway_url
    requests.read_balances(url, users, CONNECTIONS, 2)
    codes: requests.Codes = []

    def create(seconds: float) -> None:
        codes.extend(requests.create_checks(url, users, CONNECTIONS, seconds)[1])

    reading = profile(running, partial(requests.read_balances, url, users, CONNECTIONS, SECONDS))
    creating = profile(running, partial(create, SECONDS))
    create(SECONDS)  # enough checks to accept for the same time
    accepting = profile(running, partial(requests.accept_checks, url, users, codes, CONNECTIONS))
    return {"read": reading, "create": creating, "accept": accepting}


if __name__ == "__main__":
    main()

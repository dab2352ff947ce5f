"""A complete running FastCheck, started by ``fastcheck up``."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from launcher import state
from launcher.children import Child, Launch
from launcher.data_dir import DataDir
from tests.support.eventually import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
#: Four replicas of everything on two shared cores take a minute or two.
START_TIMEOUT_SECONDS: Final = 240.0
STOP_TIMEOUT_SECONDS: Final = 60.0

#: Short check lifetimes and no rate limit: a test does in a second what users do in a week. Receivers of webhooks run
#: on this machine.
SETTINGS: Final = {
    "FASTCHECK_MIN_CHECK_LIFETIME_SECONDS": "1",
    "FASTCHECK_EXPIRY_SWEEP_SECONDS": "0.5",
    "FASTCHECK_RATE_LIMIT_ENABLED": "false",
    "FASTCHECK_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}


@dataclass(frozen=True, slots=True)
class RunningSystem:
    """The addresses of a running system. The URL of a server that is not its own is empty."""

    data_dir: Path
    gateway_url: str
    postgres_url: str
    redis_url: str
    processes: tuple[dict[str, Any], ...]

    def database_url(self, service: str) -> str:
        """Return the administrator's psycopg2 URL of the database of ``service``."""
        return urlunsplit(urlsplit(self.postgres_url)._replace(path=f"/fastcheck_{service}"))

    def status(self) -> dict[str, Any]:
        """Return what ``fastcheck status --json`` prints now. No process is started: tests poll this."""
        return state.now(DataDir(self.data_dir)).public()

    def pid(self, name: str) -> int:
        """Return the current pid of a process; a restart changes it."""
        return int(next(process["pid"] for process in self.status()["processes"] if process["name"] == name))

    def url(self, name: str) -> str:
        """Return the URL of a web process, for example of ``balance-web``."""
        return str(next(process["url"] for process in self.processes if process["name"] == name))

    def operator_url(self, name: str) -> str:
        """Return the URL of the operator port of a process, for example of ``checks-relay``."""
        return str(next(process["operator_url"] for process in self.processes if process["name"] == name))


def fastcheck(
    *arguments: str, environ: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the ``fastcheck`` command and return its result."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=environment(environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def status(data_dir: Path) -> dict[str, Any]:
    """Return the status of the system in a data folder."""
    content: dict[str, Any] = json.loads(fastcheck("status", "--json", "--data-dir", str(data_dir)).stdout)
    return content


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without FASTCHECK_* settings, plus ``more``."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FASTCHECK_")} | dict(more or {})


@contextmanager
def running(data_dir: Path, settings: Mapping[str, str] | None = None, *arguments: str) -> Iterator[RunningSystem]:
    """Run a system for one test that may break it. It ends with the test process."""
    log = data_dir.parent / f"{data_dir.name}.up.log"
    launch = Launch(
        name="fastcheck up",
        command=_up(data_dir, *arguments),
        env=environment({**SETTINGS, **(settings or {})}),
        log=log,
        cwd=ROOT,
    )
    child = Child(launch)
    try:
        yield _when_ready(data_dir, log, ended=lambda: child.poll() is not None)
    finally:
        child.ask_to_stop()
        eventually(lambda: child.poll() is not None, timeout=STOP_TIMEOUT_SECONDS)
        child.end_group()


def shared(folder: Path) -> RunningSystem:
    """Return the system that all tests of the run in ``folder`` share. At the first call the server host starts it."""
    log = _shared_log(folder)
    log.touch()
    return _when_ready(_shared_data_dir(folder), log, ended=lambda: False)


def is_requested(folder: Path) -> bool:
    """Return whether a test of the run has asked for the shared system."""
    return _shared_log(folder).exists()


def shared_launch(folder: Path) -> Launch:
    """Return how to start the shared system of the run in ``folder``."""
    return Launch(
        name="fastcheck up",
        command=_up(_shared_data_dir(folder)),
        env=environment(SETTINGS),
        log=_shared_log(folder),
        cwd=ROOT,
    )


def _shared_data_dir(folder: Path) -> Path:
    return folder / "system"


def _shared_log(folder: Path) -> Path:
    return folder / "up.log"


def _up(data_dir: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", "up", "--data-dir", str(data_dir), *arguments]


def _when_ready(data_dir: Path, log: Path, ended: Any) -> RunningSystem:
    def ready() -> bool:
        text = log.read_text()
        if ended() or "did not start" in text or "cannot" in text:
            raise RuntimeError(f"`fastcheck up` failed: {text}")
        return "FastCheck is ready: " in text

    eventually(ready, timeout=START_TIMEOUT_SECONDS)
    now = status(data_dir)
    return RunningSystem(
        data_dir=data_dir,
        gateway_url=now["gateway_url"],
        postgres_url=now["postgres_url"] or "",
        redis_url=now["redis_url"] or "",
        processes=tuple(now["processes"]),
    )

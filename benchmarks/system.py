"""A temporary system for a measurement, started as by ``fastcheck up``."""

import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from benchmarks.checkouts import PRESENT, Checkout
from deploy.credentials import Credentials
from deploy.environment import PREFIX
from deploy.failure import LaunchError
from launcher import ports, state, stored_credentials
from launcher.children import Child, Launch
from launcher.data_dir import DataDir

#: The only settings that differ from the defaults: short lifetimes of checks and frequent sweeps.
SETTINGS: Final = {
    "FASTCHECK_RATE_LIMIT_ENABLED": "false",
    "FASTCHECK_MIN_CHECK_LIFETIME_SECONDS": "1",
    "FASTCHECK_EXPIRY_SWEEP_SECONDS": "1",
}
START_TIMEOUT_SECONDS: Final = 120.0
STOP_TIMEOUT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
_READY: Final = "FastCheck is ready: "


@dataclass(frozen=True, slots=True)
class System:
    """A running system: its addresses and processes."""

    data_dir: DataDir
    gateway_url: str
    postgres_url: str
    redis_url: str
    #: Name of a process -> pid.
    processes: Mapping[str, int]
    secrets: Credentials

    def database(self, service: str) -> Any:
        """Open a superuser's autocommit connection to the database of a service, or to "postgres"."""
        name = service if service == "postgres" else f"fastcheck_{service}"
        connection = psycopg2.connect(urlunsplit(urlsplit(self.postgres_url)._replace(path=f"/{name}")))
        connection.autocommit = True
        return connection

    def rows(self, service: str, query: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Run one query in the database of a service."""
        connection = self.database(service)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    @property
    def postgres_log(self) -> Path:
        return self.data_dir.log("postgres")


def attached(data_dir: DataDir) -> System:
    """Return the system that runs in a data folder."""
    now, secrets = state.now(data_dir), stored_credentials.load(data_dir)
    if not now.ready or not now.gateway_url or not now.postgres_url or not now.redis_url or secrets is None:
        raise LaunchError(f"No system with servers of its own runs in {data_dir.path}.")
    pids = {process.name: process.pid for process in now.processes}
    return System(data_dir, now.gateway_url, now.postgres_url, now.redis_url, pids, secrets)


def free_port() -> int:
    """Return a random free port of the loopback address."""
    return next(port for port in random.sample(ports.RANGE, len(ports.RANGE)) if ports.is_free(port))


@contextmanager
def started(
    settings: Mapping[str, str] | None = None, *, replicas: int = 1, checkout: Checkout = PRESENT
) -> Iterator[System]:
    """Run a new system of ``checkout``; stop it and remove its data at the end."""
    folder = Path(tempfile.mkdtemp(prefix="fastcheck-bench-"))
    try:
        with running(DataDir(folder / "data"), settings, replicas=replicas, checkout=checkout) as system:
            yield system
    finally:
        shutil.rmtree(folder)


@contextmanager
def running(
    data_dir: DataDir,
    settings: Mapping[str, str] | None = None,
    *,
    replicas: int = 1,
    checkout: Checkout = PRESENT,
) -> Iterator[System]:
    """Run the system of a data folder; stop it at the end. Its data stays."""
    log = data_dir.path.with_name(data_dir.path.name + ".log")
    data_dir.path.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)  # it may contain the ready line of an earlier run
    child = Child(
        Launch(
            name="fastcheck up",
            # A free port: another system may use the default one.
            command=[checkout.python, "-m", "cli", "up", f"--data-dir={data_dir.path}", f"--port={free_port()}"]
            + ([f"--replicas={replicas}"] if replicas > 1 else []),
            # Variables of the caller's environment may point at another system.
            env={**_without_settings(checkout.environment()), **SETTINGS, **(settings or {})},
            log=log,
            cwd=checkout.folder,
        )
    )
    try:
        _wait_until_ready(child, log)
        yield attached(data_dir)
    finally:
        child.ask_to_stop()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        child.end_group()


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


def _wait_until_ready(child: Child, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text()
        if re.search(f"^{_READY}", text, re.MULTILINE):
            return
        if child.poll() is not None:
            raise LaunchError(f"The system to be measured did not start: {text.strip()[-500:]}")
        time.sleep(POLL_SECONDS)
    raise LaunchError(f"The system to be measured was not ready after {START_TIMEOUT_SECONDS:.0f} seconds.")

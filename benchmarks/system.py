"""A system for the measurement alone, started as ``fastcheck up`` starts it, in a folder that is thrown away."""

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

#: Everything else is as a user gets it. Nobody waits a minute for a check to expire, nor ten seconds for the sweep.
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
    """A running system: how to reach it, and what it is made of."""

    data_dir: DataDir
    gateway_url: str
    postgres_url: str
    redis_url: str
    #: Name of a process -> pid.
    processes: Mapping[str, int]
    secrets: Credentials

    def database(self, service: str) -> Any:
        """A superuser's autocommitting connection to the database of a service; "postgres" is the server's own."""
        name = service if service == "postgres" else f"fastcheck_{service}"
        connection = psycopg2.connect(urlunsplit(urlsplit(self.postgres_url)._replace(path=f"/{name}")))
        connection.autocommit = True
        return connection

    def rows(self, service: str, query: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """One query of one service's database."""
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
    """The system that runs in a data folder."""
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
    """Start a new system of ``checkout``, give it, stop it, and remove its data."""
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
    """Start the system of a data folder, give it, and stop it; its data stays."""
    log = data_dir.path.with_name(data_dir.path.name + ".log")
    data_dir.path.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)  # an earlier run was ready too
    child = Child(
        Launch(
            name="fastcheck up",
            # A port of its own: another system may start at the same time and want the usual one.
            command=[checkout.python, "-m", "cli", "up", f"--data-dir={data_dir.path}", f"--port={free_port()}"]
            + ([f"--replicas={replicas}"] if replicas > 1 else []),
            # The user's variables name other systems.
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

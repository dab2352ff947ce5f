"""One PostgreSQL and one Valkey per test run, shared by all workers of pytest-xdist.

The process that owns the run (the controller of xdist, or a command line program) makes a folder and holds a lock in
it. The first process that needs a server starts ``tests.support.server_host``, which runs the servers until the lock is
released. A run whose tests need no server starts none.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from launcher.ports import RANGE, is_free
from tests.support.eventually import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
#: Names the folder of this run to the workers of xdist, which inherit the controller's environment.
VARIABLE: Final = "TEST_RUN_FOLDER"
#: Set to connect the services of a run through PgBouncer in transaction mode (`make test-pgbouncer`).
PGBOUNCER_VARIABLE: Final = "TEST_PGBOUNCER"
#: Held by the owner of the run, and by the host of its servers, while they live.
RUN_LOCK: Final = "run.lock"
HOST_LOCK: Final = "host.lock"

#: On two busy cores initdb alone takes up to 20 s.
START_TIMEOUT_SECONDS: Final = 90.0
STOP_TIMEOUT_SECONDS: Final = 90.0

_START_LOCK_FILE: Final = "start.lock"
_SERVERS_FILE: Final = "servers.json"
_LOG_FILE: Final = "server_host.log"


@dataclass(frozen=True, slots=True)
class Servers:
    """How to reach the servers of this run."""

    folder: str
    postgres_port: int
    postgres_password: str
    redis_port: int
    redis_password: str
    #: By role: runtime roles, migration roles, the auditor.
    role_passwords: dict[str, str]
    #: PgBouncer in front of PostgreSQL, if the run connects its services through it.
    pgbouncer_port: int | None = None

    def postgres_url(self, database: str, role: str | None = None) -> str:
        """The URL of a database, for psycopg2; by default the administrator's."""
        user, password = (role, self.role_passwords[role]) if role else ("postgres", self.postgres_password)
        return f"postgresql://{user}:{password}@127.0.0.1:{self.postgres_port}/{database}"

    def redis_url(self, number: int) -> str:
        """The URL of a numbered database of the Redis server."""
        return f"redis://:{self.redis_password}@127.0.0.1:{self.redis_port}/{number}"

    def publish(self) -> None:
        """Write this description for all processes of the run; the file appears complete or not at all."""
        unfinished = Path(self.folder) / f"{_SERVERS_FILE}.unfinished"
        unfinished.write_text(json.dumps(asdict(self)))
        unfinished.rename(unfinished.with_name(_SERVERS_FILE))


@contextmanager
def own_run() -> Iterator[Path]:
    """Own a test run: yield its folder. At the end of the block, stop the servers if any test has started them.

    Raises RuntimeError when the servers did not stop in order.
    """
    folder = Path(tempfile.mkdtemp(prefix="fastcheck-tests-"))
    with hold(folder / RUN_LOCK):
        yield folder
    log = folder / _LOG_FILE
    if log.exists():
        eventually(lambda: _host_has_ended(folder), timeout=STOP_TIMEOUT_SECONDS)
        if folder.exists():
            raise RuntimeError(f"the test servers failed, see {folder}: {log.read_text()}")
    else:
        shutil.rmtree(folder)


@contextmanager
def started() -> Iterator[Servers]:
    """Own a run that needs the servers at once, for a command line program."""
    with own_run() as folder:
        yield obtain(folder)


def obtain(folder: Path) -> Servers:
    """Return the servers of the run in ``folder``; start them if they do not run yet."""
    with (folder / _START_LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _SERVERS_FILE).exists():
            _start_host(folder)
    return Servers(**json.loads((folder / _SERVERS_FILE).read_text()))


def _start_host(folder: Path) -> None:
    log = folder / _LOG_FILE
    with log.open("a") as output:
        host = subprocess.Popen(
            [sys.executable, "-m", "tests.support.server_host", str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a terminal's Ctrl-C must not stop the servers before the tests
        )

    def is_started() -> bool:
        if host.poll() is not None:
            raise RuntimeError(f"the test servers did not start: {log.read_text()}")
        return (folder / _SERVERS_FILE).exists()

    try:
        eventually(is_started, timeout=START_TIMEOUT_SECONDS)
    except BaseException:
        host.kill()  # the servers die with it
        host.wait()
        raise
    # The host ends with the run and not with this process, which must neither wait for it nor warn about it.
    host.returncode = 0


@contextmanager
def hold(lock_file: Path) -> Iterator[None]:
    """Hold a POSIX lock for the block. A forked child does not inherit it; the kernel releases it with the process."""
    with lock_file.open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


def is_held(lock_file: Path) -> bool:
    """Return whether another process holds the lock. Must not be called by its holder, who would release it."""
    try:
        with lock_file.open("r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _host_has_ended(folder: Path) -> bool:
    """Return whether the host has removed the folder, which it does last, or has failed and left it."""
    try:
        return not is_held(folder / HOST_LOCK)
    except FileNotFoundError:
        return not folder.exists()  # otherwise it is removing it


def run_folder() -> Path:
    """The folder of the test run that this process belongs to."""
    return Path(os.environ[VARIABLE])


def free_ports() -> Iterator[int]:
    """Yield free ports. Each process begins elsewhere in the range, so that concurrent runs rarely compete."""
    offset = os.getpid() * 7 % len(RANGE)
    return (port for port in (*RANGE[offset:], *RANGE[:offset]) if is_free(port))

"""One PostgreSQL and one Valkey per test run, shared by all workers of pytest-xdist.

The controller starts them before its workers and tells them through the environment.
"""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from deploy import credentials
from deploy.provisioning import provision
from launcher.children import Child
from launcher.embedded.postgres import EmbeddedPostgres
from launcher.embedded.redis import EmbeddedRedis
from launcher.ports import RANGE, is_free
from tests.support.eventually import eventually

VARIABLE: Final = "TEST_SERVERS_OF_THIS_RUN"

#: The data is thrown away with the folder: what a crash of the machine would do to it does not matter.
POSTGRES_SETTINGS: Final = {"fsync": "off", "full_page_writes": "off", "max_connections": "500", "max_wal_size": "4GB"}
REDIS_SETTINGS: Final = {"databases": "256", "appendfsync": "no"}


@dataclass(frozen=True, slots=True)
class Servers:
    """How to reach the servers of this run."""

    folder: str
    postgres_port: int
    postgres_password: str
    redis_port: int
    redis_password: str
    role_passwords: dict[str, str]

    def postgres_url(self, database: str, role: str | None = None) -> str:
        """The URL of a database, for psycopg2; by default the administrator's."""
        user, password = (role, self.role_passwords[role]) if role else ("postgres", self.postgres_password)
        return f"postgresql://{user}:{password}@127.0.0.1:{self.postgres_port}/{database}"

    def redis_url(self, number: int) -> str:
        """The URL of a numbered database of the Redis server."""
        return f"redis://:{self.redis_password}@127.0.0.1:{self.redis_port}/{number}"

    @property
    def system_data_dir(self) -> Path:
        """Where the whole system of this run lives, if a test asks for one."""
        return Path(self.folder) / "system"


@contextmanager
def started() -> Iterator[Servers]:
    """Start both, and stop them when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="fastcheck-tests-"))
    secrets = credentials.generate()
    ports = _free_ports()
    postgres = EmbeddedPostgres(
        folder / "postgres",
        port=next(ports),
        password=secrets.postgres_password,
        log=folder / "postgres.log",
        settings=dict(POSTGRES_SETTINGS),
    )
    redis = EmbeddedRedis(
        folder / "redis",
        port=next(ports),
        password=secrets.redis_password,
        log=folder / "redis.log",
        settings=dict(REDIS_SETTINGS),
    )
    children = []
    try:
        for server in (postgres, redis):
            server.prepare()
            children.append(Child(server.launch()))
        eventually(lambda: postgres.is_ready() and redis.is_ready(), timeout=30)
        provision(postgres.administrator_url, secrets.role_passwords, databases=())
        yield Servers(
            folder=str(folder),
            postgres_port=postgres.port,
            postgres_password=secrets.postgres_password,
            redis_port=redis.port,
            redis_password=secrets.redis_password,
            role_passwords={f"fastcheck_{name}": password for name, password in secrets.role_passwords.items()},
        )
    finally:
        for child in children:
            _wake_helpers(child.pid)
            child.ask_to_stop()
        for child in children:
            eventually(lambda child=child: child.poll() is not None, timeout=15)  # type: ignore[misc]
            child.end_group()
        shutil.rmtree(folder)


def _wake_helpers(leader: int) -> None:
    """A simulation that was killed leaves a backend stopped, and PostgreSQL would wait for its end without end."""
    for pid in map(int, Path(f"/proc/{leader}/task/{leader}/children").read_text().split()):
        # Reaped or not, a child of a server that runs keeps its number until we are done here, or is gone.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def tell_workers(servers: Servers) -> None:
    """Put it where the worker processes, which inherit our environment, find it."""
    os.environ[VARIABLE] = json.dumps(asdict(servers))


def told(environ: Mapping[str, str] = os.environ) -> Servers:
    """The servers of this run."""
    return Servers(**json.loads(environ[VARIABLE]))


def _free_ports() -> Iterator[int]:
    # From another corner of the range for each run, so that runs side by side keep apart.
    offset = os.getpid() * 7 % len(RANGE)
    return (port for port in (*RANGE[offset:], *RANGE[:offset]) if is_free(port))

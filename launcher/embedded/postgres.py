"""An embedded PostgreSQL: a cluster in a folder, its settings, start command, probe and URLs."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg2

from deploy.failure import LaunchError, explain_os_error
from launcher.children import Launch
from launcher.embedded.binaries import postgres_bin
from launcher.embedded.stunnel import Backend
from launcher.embedded.user import ServerFolder, server_user

ADMINISTRATOR: Final = "postgres"
INITDB_TIMEOUT_SECONDS: Final = 60

_MIB: Final = 2**20
#: The memory limit of a container (cgroup v2).
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


def shared_buffers(memory_bytes: int) -> str:
    """The setting: a sixteenth of the memory, in bounds, for a machine that other programs share.

    Ids are hashes, so each transfer touches pages all over its indexes. In books of some gigabytes 128 MB were evicted
    and written again so often that a refund cost three times what it costs in small ones.
    """
    return f"{min(max(memory_bytes // _MIB // 16, 128), 1024)}MB"


def _memory_bytes() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _MEMORY_LIMIT.read_text().strip() if _MEMORY_LIMIT.exists() else "max"
    return min(memory, int(limit)) if limit.isdigit() else memory


#: None of these settings reduces durability.
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "300",
    "shared_buffers": shared_buffers(_memory_bytes()),
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_method": "sync",  # the worker processes of the default help large scans, which do not occur here
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "log_min_duration_statement": "1s",
    "idle_in_transaction_session_timeout": "60s",
    "password_encryption": "scram-sha-256",
}


class EmbeddedPostgres:
    """One database cluster; the supervisor starts and stops its server by :meth:`launch`."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        password: str,
        log: Path,
        settings: dict[str, str] | None = None,
        secured: Callable[[str], str] | None = None,
    ) -> None:
        """With ``secured``, which adds TLS to a URL, the server listens on a Unix socket only, for stunnel."""
        self._path = folder
        self.port = port
        self._password = password
        self._log = log
        self._settings = {**SETTINGS, "port": str(port), **(settings or {})}
        self._secured = secured
        self._user = server_user()
        self._bin = postgres_bin(self._user)
        self._folder = ServerFolder(folder, self._user)

    def prepare(self) -> None:
        """Create the cluster if there is none. An incomplete one is never left in its final folder."""
        if (self._path / "PG_VERSION").exists():
            self._folder.create()
            self._remove_stale_pid_file()
            return
        unfinished = self._path.with_name(self._path.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        folder = ServerFolder(unfinished, self._user)
        folder.create()
        try:
            self._initdb(folder)
            unfinished.rename(self._path)
        except OSError as error:
            raise explain_os_error(error, f"make the database folder {self._path}") from error
        finally:
            folder.close()
            shutil.rmtree(unfinished, ignore_errors=True)

    def _initdb(self, folder: ServerFolder) -> None:
        # The password is passed through an unlinked file, which no other process can open.
        with tempfile.TemporaryFile() as password:
            password.write(self._password.encode())
            password.seek(0)
            if self._user:
                os.fchown(password.fileno(), self._user.uid, self._user.gid)
            command = [
                str(self._bin / "initdb"),
                f"--pgdata={folder.seen_as}",
                f"--username={ADMINISTRATOR}",
                f"--pwfile=/dev/fd/{password.fileno()}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-instructions",
            ]
            try:
                result = subprocess.run(
                    command,
                    env=_environment(),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=INITDB_TIMEOUT_SECONDS,
                    pass_fds=(*folder.pass_fds, password.fileno()),
                    user=self._user.uid if self._user else None,
                    group=self._user.gid if self._user else None,
                    extra_groups=[] if self._user else None,
                )
            except subprocess.TimeoutExpired as error:
                raise LaunchError(
                    f"PostgreSQL could not make its cluster within {INITDB_TIMEOUT_SECONDS} seconds."
                ) from error
        if result.returncode:
            raise LaunchError(f"PostgreSQL could not make its cluster: {_reason(result.stderr)}")

    def launch(self) -> Launch:
        """Return the start command. SIGINT requests a fast shutdown, which ends sessions and writes a checkpoint."""
        settings = dict(self._settings)
        if self._secured:
            settings |= {"listen_addresses": "", "unix_socket_directories": self._folder.seen_as}
        options = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
        return Launch(
            name="postgres",
            command=[str(self._bin / "postgres"), "-D", self._folder.seen_as, *options],
            env=_environment(),
            log=self._log,
            stop_signal=signal.SIGINT,
            user=self._user,
            pass_fds=self._folder.pass_fds,
        )

    def is_ready(self) -> bool:
        """Return whether the server responds to a query."""
        try:
            connection = psycopg2.connect(self.url(ADMINISTRATOR, self._password, "postgres"), connect_timeout=2)
        except psycopg2.OperationalError:
            return False
        connection.close()
        return True

    def administrator_url(self, database: str = "postgres") -> str:
        """Return the superuser's URL."""
        return self.url(ADMINISTRATOR, self._password, database)

    def url(self, user: str, password: str, database: str) -> str:
        """Return the URL of a database in this cluster for a role."""
        url = f"postgresql://{quote(user)}:{quote(password)}@127.0.0.1:{self.port}/{quote(database)}"
        return self._secured(url) if self._secured else url

    def backend(self) -> Backend:
        """Return the server as stunnel reaches it."""
        socket = f"{self._folder.seen_as}/.s.PGSQL.{self.port}"
        return Backend("postgres", self.port, socket, self._folder.pass_fds, protocol="pgsql")

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file of a killed server if its pid now belongs to another program.

        The caller holds the lock of the data folder and has ended what an earlier run left, so no server of this
        folder lives; PostgreSQL itself cannot know that and would refuse to start.
        """
        pid_file = self._path / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            program = Path(f"/proc/{pid}/comm").read_text().strip()
        except (FileNotFoundError, ValueError):
            return
        if program != "postgres":
            pid_file.unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT and similar variables of the user refer to another server.
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "No space left" in line or "error" in line.lower() or "FATAL" in line]
    if any("No space left" in line for line in telling):
        return "the disk is full."
    return (telling or lines or ["no output"])[-1]

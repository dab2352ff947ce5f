"""PgBouncer in transaction mode in front of the embedded PostgreSQL, if PgBouncer is installed (Debian: pgbouncer)."""

import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg2

from deploy.failure import LaunchError
from launcher.children import Launch
from launcher.embedded.user import ServerFolder, server_user

CONFIGURATION_FILE: Final = "pgbouncer.ini"
USERS_FILE: Final = "userlist.txt"

#: The same values as in docs/how-to/pgbouncer.md.
SETTINGS: Final = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "auth_type": "scram-sha-256",
    "pool_mode": "transaction",
    "max_client_conn": "2000",
    "default_pool_size": "20",
    # A request waits no longer for a server connection than for one of its process's own pool.
    "query_wait_timeout": "2",
}


class EmbeddedPgbouncer:
    """One pooler; the supervisor starts and stops it by :meth:`launch`."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        postgres_port: int,
        passwords: Mapping[str, str],
        log: Path,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """``passwords`` is by role. Raises LaunchError if PgBouncer is not installed."""
        binary = program()
        if binary is None:
            raise LaunchError("PgBouncer is not installed: on Debian, `apt-get install pgbouncer`.")
        self._binary = binary
        self.port = port
        self._postgres_port = postgres_port
        self._passwords = passwords
        self._log = log
        self._settings = {**SETTINGS, **(settings or {})}
        self._folder = ServerFolder(folder, server_user())

    def prepare(self) -> None:
        """Write the configuration and the passwords, readable to the server alone."""
        self._folder.create()
        self._folder.write(USERS_FILE, "".join(f'"{role}" "{word}"\n' for role, word in self._passwords.items()))
        settings = {
            **self._settings,
            "listen_port": str(self.port),
            "auth_file": f"{self._folder.seen_as}/{USERS_FILE}",
        }
        self._folder.write(
            CONFIGURATION_FILE,
            f"[databases]\n* = host=127.0.0.1 port={self._postgres_port}\n\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in settings.items()),
        )

    def launch(self) -> Launch:
        """Return how to start the server. SIGINT waits for open transactions."""
        return Launch(
            name="pgbouncer",
            command=[self._binary, f"{self._folder.seen_as}/{CONFIGURATION_FILE}"],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            log=self._log,
            stop_signal=signal.SIGINT,
            user=server_user(),
            pass_fds=self._folder.pass_fds,
        )

    def is_ready(self) -> bool:
        """Return whether the server accepts connections. It refuses this one, whose role it does not know."""
        try:
            psycopg2.connect(
                host="127.0.0.1", port=self.port, user="nobody", dbname="nothing", connect_timeout=2
            ).close()
        except psycopg2.OperationalError as error:
            return "refused" not in str(error) and "timeout" not in str(error)
        return True


def program() -> str | None:
    """Return the path of PgBouncer, or None if it is not installed."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

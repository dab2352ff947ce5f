"""Run the servers of one test run: ``python -m tests.support.server_host FOLDER``.

The first test that needs a server starts this process. It ends when the process that holds the lock of the run's folder
releases it, by a normal end or because it was killed: the kernel releases the lock in both cases. The servers are
children that the kernel signals when this process dies. A killed test run therefore leaves nothing behind.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg2

from common.db.rights import migration_role, runtime_role
from deploy import credentials
from deploy.provisioning import provision
from launcher.children import Child
from launcher.embedded.pgbouncer import EmbeddedPgbouncer
from launcher.embedded.postgres import EmbeddedPostgres
from launcher.embedded.redis import EmbeddedRedis
from tests.support import system
from tests.support.eventually import eventually
from tests.support.servers import HOST_LOCK, PGBOUNCER_VARIABLE, RUN_LOCK, Servers, free_ports, hold, is_held

POLL_SECONDS: Final = 0.1
START_TIMEOUT_SECONDS: Final = 30.0
STOP_TIMEOUT_SECONDS: Final = 15.0

POSTGRES_SETTINGS: Final = {
    # The data is deleted with the folder, so it does not have to survive a crash of the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "500",
    "max_wal_size": "4GB",
    # Dropping and truncating tables search all buffers, and test databases are small.
    "shared_buffers": "128MB",
    # A worker would be in a database that a test copies, renames or drops.
    "autovacuum": "off",
    # With the default, half of the CPU time of a new connection computes hashes of its password.
    "scram_iterations": "1",
}
REDIS_SETTINGS: Final = {"databases": "256", "appendfsync": "no"}


def main(folder: Path) -> None:
    """Run the servers of the run in ``folder`` until its owner is gone; then remove the folder.

    After a failure the folder stays, with the logs.
    """
    with hold(folder / HOST_LOCK):
        with ExitStack() as stack:
            _start_servers(folder, stack).publish()
            system_is_running = False
            while is_held(folder / RUN_LOCK):
                if not system_is_running and system.is_requested(folder):
                    stack.callback(_stop, Child(system.shared_launch(folder)), system.STOP_TIMEOUT_SECONDS)
                    system_is_running = True
                time.sleep(POLL_SECONDS)
        shutil.rmtree(folder)


def _start_servers(folder: Path, stack: ExitStack) -> Servers:
    secrets = credentials.generate()
    ports = free_ports()
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
    postgres.prepare()
    redis.prepare()
    # An immediate shutdown: PostgreSQL kills backends that do not exit within 5 s. A fast one (SIGINT) would wait
    # without limit for a backend that a simulation has stopped (SIGSTOP) and a killed test run has not resumed.
    for launch in (replace(postgres.launch(), stop_signal=signal.SIGQUIT), redis.launch()):
        stack.callback(_stop, Child(launch), STOP_TIMEOUT_SECONDS)
    eventually(lambda: postgres.is_ready() and redis.is_ready(), timeout=START_TIMEOUT_SECONDS)
    _hash_password_again(postgres.administrator_url(), secrets.postgres_password)
    provision(postgres.administrator_url, secrets.role_passwords, secrets.owner_passwords, databases=())
    role_passwords = {runtime_role(name): password for name, password in secrets.role_passwords.items()}
    role_passwords |= {migration_role(name): password for name, password in secrets.owner_passwords.items()}
    pgbouncer_port = None
    if PGBOUNCER_VARIABLE in os.environ:
        pgbouncer = EmbeddedPgbouncer(
            folder / "pgbouncer",
            port=next(ports),
            postgres_port=postgres.port,
            passwords=role_passwords,
            log=folder / "pgbouncer.log",
        )
        pgbouncer.prepare()
        stack.callback(_stop, Child(pgbouncer.launch()), STOP_TIMEOUT_SECONDS)
        eventually(pgbouncer.is_ready, timeout=START_TIMEOUT_SECONDS)
        pgbouncer_port = pgbouncer.port
    return Servers(
        folder=str(folder),
        postgres_port=postgres.port,
        postgres_password=secrets.postgres_password,
        redis_port=redis.port,
        redis_password=secrets.redis_password,
        role_passwords=role_passwords,
        pgbouncer_port=pgbouncer_port,
    )


def _hash_password_again(url: str, password: str) -> None:
    """Hash the administrator's password with the iterations of ``POSTGRES_SETTINGS``; initdb has used the default."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("ALTER ROLE CURRENT_USER PASSWORD %s", (password,))


def _stop(child: Child, timeout_seconds: float) -> None:
    child.ask_to_stop()
    try:
        eventually(lambda: child.poll() is not None, timeout=timeout_seconds)
    finally:
        child.end_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

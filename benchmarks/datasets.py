"""Systems with large books in persistent folders, which are created once and measured repeatedly.

``python -m benchmarks.datasets FOLDER CHECKS`` creates one. It needs 3 GB of disk per million checks.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks import big_books, user_pool
from benchmarks.bulk import THROWAWAY
from benchmarks.system import System, free_port, running
from benchmarks.user_pool import User
from deploy.credentials import Credentials
from deploy.failure import LaunchError
from launcher import stored_credentials
from launcher.children import Child
from launcher.data_dir import DataDir
from launcher.embedded.postgres import EmbeddedPostgres

#: The measured users have entries in the books; the first of them is the busiest.
USERS: Final = 64
#: Disables background tasks that would disturb a measurement.
SETTINGS: Final = {"FASTCHECK_AUDIT_EVERY_SECONDS": "86400"}
_FILE: Final = "people.json"
_STOP_TIMEOUT_SECONDS: Final = 600.0
_START_TIMEOUT_SECONDS: Final = 60.0
_SEAL_TIMEOUT_SECONDS: Final = 1_800.0
_POLL_SECONDS: Final = 0.2
_END_AUDIT: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fastcheck-audit'"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A running system and its users with a session."""

    system: System
    users: list[User]


def make(folder: Path, checks: int) -> float:
    """Create a system, register users, stop it, and write its books; return the duration of the writing in seconds."""
    data_dir = DataDir(folder)
    with running(data_dir, SETTINGS) as system:
        users = user_pool.register(system, USERS)
        data_dir.write_json(_FILE, {"people": [[str(user.user_id), user.session] for user in users]})
    began = time.monotonic()
    with _postgres_alone(data_dir) as postgres:
        urls = {name: postgres.administrator_url(f"fastcheck_{name}") for name in big_books.SERVICES}
        big_books.write(urls, checks=checks, known=[user.user_id for user in users], code_key=_code_key(data_dir))
    os.sync()
    return time.monotonic() - began


@contextmanager
def opened(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Dataset]:
    """Start the system in a folder, wait until the chain covers its books, and stop it at the end."""
    data_dir = DataDir(folder)
    stored = data_dir.read_json(_FILE)
    if stored is None:
        raise LaunchError(f"No books were written in {folder}.")
    with running(data_dir, {**SETTINGS, **(settings or {})}) as system:
        until_sealed(system)
        with _without_auditor(system):
            yield Dataset(system, [User(UUID(user_id), session) for user_id, session in stored["people"]])


def until_sealed(system: System) -> None:
    """Wait until every transfer is in the chain."""
    query = "SELECT (SELECT max(transfer_no) FROM transfers) <= COALESCE((SELECT max(last_no) FROM chain_blocks), 0)"
    _wait(lambda: bool(system.rows("balance", query)[0][0]), _SEAL_TIMEOUT_SECONDS)


@contextmanager
def _without_auditor(system: System) -> Iterator[None]:
    """Stop the auditor, whose first audit reads all books and would disturb the measurement."""
    auditor = system.processes["auditor"]
    os.kill(auditor, signal.SIGSTOP)
    try:
        system.rows("postgres", _END_AUDIT)
        yield
    finally:
        os.kill(auditor, signal.SIGCONT)


def _secrets(data_dir: DataDir) -> Credentials:
    secrets = stored_credentials.load(data_dir)
    if secrets is None:
        raise LaunchError(f"There is no system in {data_dir.path}.")
    return secrets


def _code_key(data_dir: DataDir) -> str:
    return _secrets(data_dir).code_keys.split(",")[0]


@contextmanager
def _postgres_alone(data_dir: DataDir) -> Iterator[EmbeddedPostgres]:
    secrets = _secrets(data_dir)
    data_dir.open()
    postgres = EmbeddedPostgres(
        data_dir.postgres,
        port=free_port(),
        password=secrets.postgres_password,
        log=data_dir.log("postgres"),
        settings=THROWAWAY,
    )
    postgres.prepare()
    child = Child(postgres.launch())
    try:
        _wait(postgres.is_ready, _START_TIMEOUT_SECONDS)
        yield postgres
        child.ask_to_stop()
        _wait(lambda: child.poll() is not None, _STOP_TIMEOUT_SECONDS)
    finally:
        child.end_group()
        data_dir.close()


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LaunchError(f"The condition was not met within {seconds:.0f} seconds.")
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    print(f"written in {make(Path(sys.argv[1]), int(sys.argv[2])):.0f} s")

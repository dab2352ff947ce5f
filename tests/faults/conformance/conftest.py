"""The adapter as a server of its own, on a scratch database, under the web server of production."""

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from launcher.children import Child, Launch
from launcher.ports import HOST
from tests.faults.conformance.kit import Kit
from tests.support import databases
from tests.support.eventually import eventually
from tests.support.servers import Servers, free_ports
from tests.support.system import ROOT, environment


def launch(url: str, port: int, log: Path) -> Launch:
    """How the adapter is started."""
    return Launch(
        name="lck-adapter",
        command=[
            sys.executable, "-m", "granian", "--interface=wsgi", "--factory",
            "tests.faults.conformance.adapter:create_app",
            f"--host={HOST}", f"--port={port}", "--workers=1", "--blocking-threads=40",
            "--http=1", "--no-ws", "--log-level=error",
        ],
        env=environment({"FASTCHECK_LCK_DATABASE_URL": url}),
        log=log,
        cwd=ROOT,
    )  # fmt: skip


@pytest.fixture(scope="session")
def scratch_database(test_servers: Servers) -> Iterator[str]:
    """The name of the database that the adapter may empty."""
    name = databases.create(test_servers, "balance")
    yield name
    databases.drop(test_servers, name)


@pytest.fixture(scope="session")
def adapter(test_servers: Servers, scratch_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """A kit that speaks to the running adapter; nothing has been written yet."""
    port = next(free_ports())
    log = tmp_path_factory.mktemp("lck") / "adapter.log"
    child = Child(launch(databases.url(test_servers, "balance", scratch_database), port, log))
    kit = Kit(f"http://{HOST}:{port}")

    def answers() -> bool:
        try:
            return kit.journal() == []
        except OSError:
            return False

    try:
        eventually(answers, timeout=30)
        yield kit
    finally:
        child.ask_to_stop()
        eventually(lambda: child.poll() is not None, timeout=30)
        child.end_group()


@pytest.fixture
def kit(adapter: Kit) -> Kit:
    """Before every invariant the ledger is empty."""
    adapter.reset()
    return adapter


@pytest.fixture
def as_superuser(test_servers: Servers, scratch_database: str) -> Iterator[psycopg2.extensions.cursor]:
    """Whoever can do everything in the database, with triggers and foreign keys off."""
    connection = psycopg2.connect(test_servers.postgres_url(scratch_database))
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SET session_replication_role = replica")
    yield cursor
    connection.close()

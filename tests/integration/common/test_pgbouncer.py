"""PgBouncer in front of a database: transaction mode works, whatever cannot work is rejected."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url, text

from common.core.settings import DatabaseSettings
from common.db.engine import Database
from common.db.poolers import UnsupportedServer
from launcher.children import Child
from launcher.embedded.pgbouncer import EmbeddedPgbouncer, program
from tests.support.eventually import eventually
from tests.support.servers import Servers, free_ports

pytestmark = pytest.mark.skipif(program() is None, reason="PgBouncer is not installed (apt-get install pgbouncer)")

Pooled = Callable[..., Database]


@contextmanager
def _pgbouncer(servers: Servers, folder: Path, **settings: str) -> Iterator[int]:
    server = EmbeddedPgbouncer(
        folder / "pgbouncer",
        port=next(free_ports()),
        postgres_port=servers.postgres_port,
        passwords=servers.role_passwords,
        log=folder / "pgbouncer.log",
        settings=settings,
    )
    server.prepare()
    child = Child(server.launch())
    try:
        eventually(server.is_ready, timeout=30)
        yield server.port
    finally:
        child.end_group()


@pytest.fixture
def pooled(make_database: Callable[[str], str], test_servers: Servers, tmp_path: Path) -> Iterator[Pooled]:
    """``pooled(pool_mode=...)``: a database of balance through a PgBouncer of its own with these settings."""
    with ExitStack() as stack:

        def open_database(direct: bool = False, **settings: str) -> Database:
            port = stack.enter_context(_pgbouncer(test_servers, tmp_path, **settings))
            url = make_url(make_database("balance")).set(port=test_servers.postgres_port)
            database = Database(
                url.set(port=port).render_as_string(hide_password=False),
                settings=DatabaseSettings(database_pool_size=2),
                application_name="test",
                direct_url=url.render_as_string(hide_password=False) if direct else None,
            )
            stack.callback(database.dispose)
            return database

        yield open_database


def test_role_brings_the_time_outs_and_the_time_zone(pooled: Pooled) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone", "application_name")
    with pooled().autocommit() as tx:
        found = [tx.execute(text(f"SHOW {name}")).scalar_one() for name in names]
    assert found == ["10s", "2s", "15s", "UTC", "test"]


def test_two_clients_share_one_server_connection(pooled: Pooled) -> None:
    database = pooled(default_pool_size="1")
    pid = text("SELECT pg_backend_pid()")
    with database.autocommit() as one, database.autocommit() as other:
        assert one.execute(pid).scalar_one() == other.execute(pid).scalar_one()


def test_transaction_keeps_its_server_connection_and_is_rolled_back(pooled: Pooled) -> None:
    database = pooled(default_pool_size="2")
    insert = text("INSERT INTO inbox (event_id, type, source) VALUES (gen_random_uuid(), 'x', 'y')")

    def fail() -> None:
        with database.transaction() as tx:
            tx.execute(insert)
            with database.autocommit() as other:
                assert other.execute(text("SELECT count(*) FROM inbox")).scalar_one() == 0
            assert tx.execute(text("SELECT count(*) FROM inbox")).scalar_one() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.autocommit() as tx:
        assert tx.execute(text("SELECT count(*) FROM inbox")).scalar_one() == 0


def test_notification_arrives_on_the_direct_connection(pooled: Pooled) -> None:
    database = pooled(direct=True)
    with database.listen("outbox") as listening:
        with database.autocommit() as tx:
            tx.execute(text("NOTIFY outbox"))

        def arrived() -> bool:
            listening.poll()
            return bool(listening.notifies)

        eventually(arrived)


def test_listen_through_the_pooler_is_rejected_and_names_the_setting(pooled: Pooled) -> None:
    with pytest.raises(UnsupportedServer, match="_DIRECT_DATABASE_URL"), pooled().listen("outbox"):
        pass


def test_statement_mode_is_rejected(pooled: Pooled) -> None:
    with pytest.raises(UnsupportedServer, match="pool_mode = transaction"):
        pooled(pool_mode="statement").ping()


def test_role_without_time_outs_is_rejected_until_it_is_provisioned(
    make_database: Callable[[str], str], test_servers: Servers
) -> None:
    url = make_url(make_database("balance")).set(port=test_servers.postgres_port)
    # As a role that was never provisioned: the session's own settings win over those of the role.
    unprovisioned = url.update_query_dict({"options": "-c lock_timeout=0"}).render_as_string(hide_password=False)
    with pytest.raises(UnsupportedServer, match="fastcheck provision"):
        Database(unprovisioned, settings=DatabaseSettings(), application_name="test").ping()


def test_start_up_options_are_what_pgbouncer_refuses(test_servers: Servers, tmp_path: Path) -> None:
    """The reason why settings belong to the role."""
    connect: dict[str, Any] = {"user": "fastcheck_balance", "dbname": "postgres", "host": "127.0.0.1"}
    connect["password"] = test_servers.role_passwords["fastcheck_balance"]
    with (
        _pgbouncer(test_servers, tmp_path) as port,
        pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"),
    ):
        psycopg2.connect(port=port, options="-c lock_timeout=1000", **connect)


def test_port_that_nothing_listens_on_is_not_ready(test_servers: Servers, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    pooler = EmbeddedPgbouncer(
        tmp_path / "p", port=port, postgres_port=test_servers.postgres_port, passwords={}, log=tmp_path / "log"
    )
    assert not pooler.is_ready()

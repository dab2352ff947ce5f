"""Fresh migrated databases: migrated once per test run into a template, then copied."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

import psycopg2
from psycopg2 import sql
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.pool import NullPool

from common.db.engine import Database
from common.db.migrations import upgrade
from common.db.rights import migration_role, runtime_role
from deploy.provisioning import AUDITOR_ROLE, close_database
from tests.support.servers import Servers, obtain, run_folder

TEMPLATE_LOCK_ID: Final = 20_260_119


def create(servers: Servers, service: str) -> str:
    """Create a database for ``service``, owned by its migration role, and return its name."""
    name = f"test_{service}_{secrets.token_hex(6)}"
    with _Administration(servers) as administration:
        template = administration.template(service)
        administration.copy(name, service, template)
    return name


def copy(servers: Servers, service: str, original: str) -> str:
    """Copy a database without open connections and return the name of the copy."""
    name = f"test_{service}_{secrets.token_hex(6)}"
    with _Administration(servers) as administration:
        administration.copy(name, service, original)
    return name


def create_empty(servers: Servers, service: str) -> str:
    """Create a database for ``service`` without a table, for the dump of another one, and return its name."""
    name = f"test_{service}_{secrets.token_hex(6)}"
    with _Administration(servers) as administration:
        administration.copy(name, service, "template0")
    return name


def drop(servers: Servers, name: str) -> None:
    """Drop a database and end its connections."""
    with _Administration(servers) as administration:
        administration.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def url(servers: Servers, service: str, name: str) -> str:
    """Return the URL of such a database in the form of the service's settings; through PgBouncer if the run uses it."""
    direct = make_url(direct_url(servers, service, name))
    return direct.set(port=servers.pgbouncer_port or direct.port).render_as_string(hide_password=False)


def direct_url(servers: Servers, service: str, name: str) -> str:
    """Return the URL of such a database on PostgreSQL itself."""
    return _for_sqlalchemy(servers.postgres_url(name, runtime_role(service)))


def owner_url(servers: Servers, service: str, name: str) -> str:
    """Return the URL of such a database with the migration role, which may change tables and disable triggers."""
    return _for_sqlalchemy(servers.postgres_url(name, migration_role(service)))


@contextmanager
def as_owner(db: Database) -> Iterator[Connection]:
    """Connect to the database of ``db`` with the migration role, in autocommit.

    For statements of a test that no service has: its role has no right to execute them.
    """
    runtime = make_url(db.url)
    service = str(runtime.username).removeprefix(runtime_role(""))
    url = owner_url(obtain(run_folder()), service, str(runtime.database))
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def _for_sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def with_session_settings(url: str, **settings: object) -> str:
    """Return the URL of a direct connection whose sessions have other settings than the role (libpq's ``options``)."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return make_url(url).update_query_dict({"options": options}).render_as_string(hide_password=False)


class _Administration:
    """An administrator connection that creates and drops databases."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._connection = psycopg2.connect(servers.postgres_url("postgres"))
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def run(self, statement: str, *names: str) -> None:
        self._cursor.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))

    def copy(self, name: str, service: str, original: str) -> None:
        """Copy the files of a database, which is faster than the default: that writes all pages to WAL."""
        self.run("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY", name, migration_role(service), original)
        self.run("REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        self.run("GRANT CONNECT ON DATABASE {} TO {}, {}", name, AUDITOR_ROLE, runtime_role(service))

    def template(self, service: str) -> str:
        """Return the name of the migrated template; concurrent callers wait for the one that creates it."""
        name = f"template_{service}"
        self._cursor.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK_ID,))
        try:
            self._cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if self._cursor.fetchone() is None:
                self._make_template(service, name)
        finally:
            self._cursor.execute("SELECT pg_advisory_unlock(%s)", (TEMPLATE_LOCK_ID,))
        return name

    def _make_template(self, service: str, name: str) -> None:
        unfinished = f"unfinished_{service}"
        self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", unfinished)
        self.run("CREATE DATABASE {} OWNER {}", unfinished, migration_role(service))
        close_database(self._servers.postgres_url(unfinished), database=unfinished, service=service)
        upgrade(service, owner_url(self._servers, service, unfinished))
        self.run("ALTER DATABASE {} RENAME TO {}", unfinished, name)

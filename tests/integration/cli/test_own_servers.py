"""Existing servers: ``fastcheck provision`` prepares them, ``fastcheck up`` uses them."""

import fcntl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
import requests
from argon2 import PasswordHasher

from common.core.settings import DatabaseSettings
from common.db.engine import Database
from common.db.migrations import upgrade
from common.db.rights import migration_role, runtime_role
from deploy.services import BY_NAME, DATABASES
from services.balance import service
from services.balance.models import Posting, TransferKind
from tests.support.databases import direct_url, drop, owner_url
from tests.support.servers import Servers
from tests.support.system import fastcheck, running


@pytest.fixture
def databases(test_servers: Servers) -> Iterator[None]:
    """Hold the names that databases have outside of tests, and drop the databases at the end."""
    with (Path(test_servers.folder) / "own_servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        for name in DATABASES:
            drop(test_servers, f"fastcheck_{name}")


def addresses(servers: Servers) -> dict[str, str]:
    """Return the variables that point FastCheck at existing PostgreSQL and Redis servers."""
    databases = {}
    for name in DATABASES:
        described = BY_NAME[name]
        databases[described.database_variable] = direct_url(servers, name, described.database)
        databases[described.migration_database_variable] = owner_url(servers, name, described.database)
    # Database numbers that no worker of the test run uses (see conftest).
    return {**databases, "FASTCHECK_BROKER_URL": servers.redis_url(250), "FASTCHECK_CACHE_URL": servers.redis_url(251)}


def provision(servers: Servers) -> str:
    """Run ``fastcheck provision`` twice, assert equal outputs, and return the output."""
    environ = {
        **addresses(servers),
        "FASTCHECK_ADMINISTRATOR_DATABASE_URL": servers.postgres_url("postgres"),
        "FASTCHECK_AUDITOR_DATABASE_URL": servers.postgres_url("postgres", "fastcheck_auditor"),
    }
    first, second = (fastcheck("provision", environ=environ) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stdout) == (0, first.stdout)
    return first.stdout


LOGIN = {"login": "alice", "password": "correct horse battery"}


@pytest.mark.usefixtures("databases")
def test_system_runs_on_provisioned_servers(tmp_path: Path, test_servers: Servers) -> None:
    assert "fastcheck_balance" in provision(test_servers)
    with running(tmp_path / "data", addresses(test_servers)) as system:
        names = {process["name"] for process in system.processes}
        assert not names & {"postgres", "redis"}
        assert (system.postgres_url, system.redis_url) == ("", "")
        response = requests.post(f"{system.gateway_url}/register", json=LOGIN, timeout=10)
        assert response.status_code == 201
    assert not (tmp_path / "data" / "postgres").exists()
    assert rows(test_servers, "accounts", "SELECT login FROM users") == [("alice",)]


@pytest.mark.usefixtures("databases")
def test_databases_of_a_version_without_migration_roles_are_migrated(tmp_path: Path, test_servers: Servers) -> None:
    _provision_as_before(test_servers)
    assert owners(test_servers) == {runtime_role(name) for name in DATABASES}
    # What users have, written by the role that still owns the tables.
    user, old_hash = uuid4(), PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(LOGIN["password"])
    insert = f"INSERT INTO users VALUES ('{user}', 'alice', '{old_hash}', now()) RETURNING 1"  # noqa: S608
    assert rows(test_servers, "accounts", insert, role="fastcheck_accounts") == [(1,)]
    balance = Database(
        direct_url(test_servers, "balance", "fastcheck_balance"), settings=DatabaseSettings(), application_name="test"
    )
    service.credit(balance, Posting(TransferKind.TOPUP, uuid4(), user, 5_000, "RUB", "a top-up"))
    provision(test_servers)
    # Processes of the old version run until the new ones start: they still can do what they do.
    service.credit(balance, Posting(TransferKind.TOPUP, uuid4(), user, 2_000, "RUB", "a top-up during the upgrade"))
    balance.dispose()
    with running(tmp_path / "data", addresses(test_servers)) as system:
        session = requests.post(f"{system.gateway_url}/login", json=LOGIN, timeout=10).json()["sessionID"]
        headers = {"Authorization": f"Bearer {session}"}
        assert requests.get(f"{system.gateway_url}/balance", headers=headers, timeout=10).json()["balance"] == 7_000
        check = {"amount": 3_000, "currency": "RUB"}
        created = requests.post(f"{system.gateway_url}/fastcheck", json=check, headers=headers, timeout=10)
        assert created.status_code == 201, created.text
        assert requests.get(f"{system.gateway_url}/balance", headers=headers, timeout=10).json()["balance"] == 4_000
    assert owners(test_servers) == {migration_role(name) for name in DATABASES}
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(test_servers, "balance", "UPDATE entries SET amount_minor = 1 RETURNING 1", role="fastcheck_balance")


def _provision_as_before(servers: Servers) -> None:
    """Create migrated databases that the runtime roles own with all their tables, as earlier versions did."""
    provision(servers)
    for name in DATABASES:
        database, runtime, owner = f"fastcheck_{name}", runtime_role(name), migration_role(name)
        upgrade(name, owner_url(servers, name, database))
        # Not REASSIGN OWNED: it would take the databases of other tests too.
        statements = rows(servers, name, _OWN_AS_BEFORE.format(runtime=runtime))
        for (statement,) in statements:
            rows(servers, name, f"{statement}; SELECT 1")
        rows(
            servers,
            name,
            f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {runtime}, {owner};"
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {runtime}, {owner};"
            f"REVOKE ALL ON SCHEMA public FROM {runtime}, {owner}; GRANT USAGE ON SCHEMA public TO PUBLIC;"
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {runtime}; ALTER DATABASE {database} OWNER TO {runtime};"
            "SELECT 1",
        )


_OWN_AS_BEFORE = """
    SELECT format('ALTER TABLE %I OWNER TO {runtime}', relname) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL
    SELECT format('ALTER FUNCTION %I() OWNER TO {runtime}', proname) FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace
"""


def owners(servers: Servers) -> set[str]:
    """Return the owners of the databases, of their tables, sequences and functions."""
    query = (
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    )
    return {str(row[0]) for name in DATABASES for row in rows(servers, name, query)}


def rows(servers: Servers, service: str, query: str, role: str | None = None) -> list[tuple[object, ...]]:
    """Return the rows of a query in the database of a service, by default as the administrator."""
    url = servers.postgres_url(f"fastcheck_{service}", role)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_up_on_own_servers_names_the_missing_url_of_the_migration_role(tmp_path: Path, test_servers: Servers) -> None:
    given = {name: url for name, url in addresses(test_servers).items() if "_MIGRATION_" not in name}
    result = fastcheck("up", "--data-dir", str(tmp_path / "data"), environ=given)
    assert result.returncode == 1
    assert "FASTCHECK_BALANCE_MIGRATION_DATABASE_URL is not set" in result.stderr


def test_provision_names_a_missing_variable() -> None:
    result = fastcheck("provision")
    assert (result.returncode, result.stderr) == (2, "FASTCHECK_ADMINISTRATOR_DATABASE_URL is not set.\n")

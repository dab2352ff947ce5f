"""Each role connects only to its own database; the auditor connects to all and writes to none."""

from collections.abc import Callable

import psycopg2
import pytest

from tests.support.databases import owner_url
from tests.support.servers import Servers


def connect(url: str) -> psycopg2.extensions.connection:
    return psycopg2.connect(url.replace("+psycopg2", ""))


def test_role_cannot_connect_to_another_database(make_database: Callable[[str], str], test_servers: Servers) -> None:
    database = connect(make_database("balance")).info.dbname
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        connect(test_servers.postgres_url(database, "fastcheck_checks"))


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_role_cannot_connect_to_system_databases(test_servers: Servers, database: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        connect(test_servers.postgres_url(database, "fastcheck_balance"))


def test_auditor_can_connect_but_not_read_a_table_without_a_grant(
    make_database: Callable[[str], str], test_servers: Servers
) -> None:
    owner = connect(owner_url(test_servers, "balance", connect(make_database("balance")).info.dbname))
    with owner, owner.cursor() as cursor:
        cursor.execute("CREATE TABLE new_table (amount_minor bigint)")
        cursor.execute("INSERT INTO new_table VALUES (15000)")
    auditor = connect(test_servers.postgres_url(owner.info.dbname, "fastcheck_auditor"))
    auditor.autocommit = True
    with auditor.cursor() as cursor:
        cursor.execute("SELECT count(version_num) FROM alembic_version")
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT amount_minor FROM new_table")
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute("DELETE FROM new_table")
        cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM new_table")


def test_service_roles_have_no_special_attributes(test_servers: Servers) -> None:
    administrator = connect(test_servers.postgres_url("postgres"))
    with administrator.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'fastcheck%'"
            " AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"
        )
        assert cursor.fetchall() == []
    administrator.close()

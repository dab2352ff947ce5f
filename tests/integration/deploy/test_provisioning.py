"""Each role enters its own database and no other; the auditor enters all and writes none."""

from collections.abc import Callable

import psycopg2
import pytest

from tests.support.servers import Servers


def connect(url: str) -> psycopg2.extensions.connection:
    return psycopg2.connect(url.replace("+psycopg2", ""))


def test_a_role_cannot_enter_another_database(make_database: Callable[[str], str], test_servers: Servers) -> None:
    database = connect(make_database("balance")).info.dbname
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        connect(test_servers.postgres_url(database, "fastcheck_checks"))


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_role_cannot_enter_the_servers_own_databases(test_servers: Servers, database: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        connect(test_servers.postgres_url(database, "fastcheck_balance"))


def test_the_auditor_enters_and_sees_no_table_that_is_not_opened_to_him(
    make_database: Callable[[str], str], test_servers: Servers
) -> None:
    owner = connect(make_database("balance"))
    with owner, owner.cursor() as cursor:
        cursor.execute("CREATE TABLE tomorrow (amount_minor bigint)")
        cursor.execute("INSERT INTO tomorrow VALUES (15000)")
    auditor = connect(test_servers.postgres_url(owner.info.dbname, "fastcheck_auditor"))
    auditor.autocommit = True
    with auditor.cursor() as cursor:
        cursor.execute("SELECT count(version_num) FROM alembic_version")
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT amount_minor FROM tomorrow")
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute("DELETE FROM tomorrow")
        cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM tomorrow")


def test_a_service_role_is_nobody_special(test_servers: Servers) -> None:
    administrator = connect(test_servers.postgres_url("postgres"))
    with administrator.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'fastcheck%'"
            " AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"
        )
        assert cursor.fetchall() == []
    administrator.close()

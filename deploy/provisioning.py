"""Roles and databases: each service has its own and can connect to no other.

Everything may run again at every start. An auditor may enter all databases and write none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import psycopg2
from psycopg2 import sql

from deploy.failure import LaunchError
from deploy.services import AUDITOR

AUDITOR_ROLE: Final = f"fastcheck_{AUDITOR}"

#: Of the roles of services: a pooler in transaction mode keeps no settings of a session.
ROLE_SETTINGS: Final = {
    "timezone": "UTC",
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "15s",
}
#: Of the auditor. No time-outs, because an audit runs for long. The costs make the planner choose sequential scans with
#: hash joins and sorts in memory: an audit reads whole tables, which are larger than the cache.
AUDITOR_SETTINGS: Final = {
    "timezone": "UTC",
    "default_transaction_read_only": "on",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "work_mem": "64MB",
    "random_page_cost": "4",
    "effective_cache_size": "128MB",
    "cursor_tuple_fraction": "1",
}

#: System databases, to which any role can connect by default.
_OPEN_BY_DEFAULT: Final = ("postgres", "template1")


def provision(administrator_url: Callable[[str], str], passwords: Mapping[str, str], databases: Sequence[str]) -> None:
    """Create or update all roles and databases.

    ``administrator_url`` gives a superuser's URL for a database; ``passwords`` is by service name, the auditor
    included; ``databases`` names the services that have one.
    """
    try:
        _roles_and_databases(administrator_url("postgres"), passwords, databases)
        for service in databases:
            name = f"fastcheck_{service}"
            close_database(administrator_url(name), database=name)
    except psycopg2.Error as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise LaunchError(f"FastCheck cannot set up its databases: {reason}") from error


def _roles_and_databases(url: str, passwords: Mapping[str, str], databases: Sequence[str]) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True  # CREATE DATABASE refuses to run in a transaction
    try:
        with connection.cursor() as cursor:
            for service, password in passwords.items():
                ensure_role(cursor, f"fastcheck_{service}", password)
                configure_role(
                    cursor, f"fastcheck_{service}", AUDITOR_SETTINGS if service == AUDITOR else ROLE_SETTINGS
                )
            for name in _OPEN_BY_DEFAULT:
                cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
            cursor.execute("SELECT datname FROM pg_database")
            existing = {row[0] for row in cursor.fetchall()}
            for service in databases:
                name = f"fastcheck_{service}"
                if name not in existing:
                    cursor.execute(
                        sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(name))
                    )
    finally:
        connection.close()


def ensure_role(cursor: psycopg2.extensions.cursor, role: str, password: str) -> None:
    """Create or update a role that can only log in, with this password."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    verb = "ALTER" if cursor.fetchone() else "CREATE"
    cursor.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}").format(
            sql.SQL(verb), sql.Identifier(role), sql.Literal(password)
        )
    )


def configure_role(cursor: psycopg2.extensions.cursor, role: str, settings: Mapping[str, str]) -> None:
    """Give the future sessions of a role these settings and no others."""
    cursor.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(role)))
    for name, value in settings.items():
        cursor.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value))
        )


def close_database(url: str, database: str) -> None:
    """Restrict a database to its owner and the auditor, which may connect and has no privilege on a table yet.

    Migrations grant the auditor the columns to read.
    """
    names = {
        "database": sql.Identifier(database),
        "auditor": sql.Identifier(AUDITOR_ROLE),
    }
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            for statement in (
                "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
                "GRANT CONNECT ON DATABASE {database} TO {auditor}",
                "GRANT USAGE ON SCHEMA public TO {auditor}",
                # By default every role can write large objects.
                "REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC",
            ):
                cursor.execute(sql.SQL(statement).format(**names))
    finally:
        connection.close()

"""Roles and databases: each service has its own and can connect to no other.

A service has two roles. Its migration role owns the database and its tables; its runtime role has the rights that
``services/<name>/rights.py`` declares. Everything may run again at every start. An auditor may enter all databases and
write none.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Final

import psycopg2
from psycopg2 import sql

from common.db.rights import migration_role, runtime_role
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
#: Of the migration roles. Migrations run without time-outs.
OWNER_SETTINGS: Final = {"timezone": "UTC"}
#: How long a change of ownership waits for the transactions that use a table. Later statements wait behind it.
HAND_OVER_LOCK_TIMEOUT: Final = "5s"
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


def provision(
    administrator_url: Callable[[str], str],
    passwords: Mapping[str, str],
    owner_passwords: Mapping[str, str],
    databases: Sequence[str],
) -> None:
    """Create or update all roles and databases; databases of an earlier version get their migration role as owner.

    ``administrator_url`` gives a superuser's URL for a database; ``passwords`` is by service name, the auditor
    included; ``owner_passwords`` are those of the migration roles; ``databases`` names the services that have one.
    """
    try:
        with closing(_connect(administrator_url("postgres"))) as connection, connection.cursor() as cursor:
            _ensure_roles(cursor, passwords, owner_passwords)
            for name in _OPEN_BY_DEFAULT:
                _run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
            for service in databases:
                _ensure_database(cursor, f"fastcheck_{service}", owner=migration_role(service))
        for service in databases:
            name = f"fastcheck_{service}"
            close_database(administrator_url(name), database=name, service=service)
    except psycopg2.Error as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise LaunchError(f"FastCheck cannot set up its databases: {reason}") from error


def _connect(url: str) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(url)
    connection.autocommit = True  # CREATE DATABASE refuses to run in a transaction
    return connection


def _ensure_roles(
    cursor: psycopg2.extensions.cursor, passwords: Mapping[str, str], owner_passwords: Mapping[str, str]
) -> None:
    for service, password in passwords.items():
        role = runtime_role(service)  # the auditor's is named in the same way
        ensure_role(cursor, role, password)
        configure_role(cursor, role, AUDITOR_SETTINGS if service == AUDITOR else ROLE_SETTINGS)
    for service, password in owner_passwords.items():
        ensure_role(cursor, migration_role(service), password)
        configure_role(cursor, migration_role(service), OWNER_SETTINGS)


def _ensure_database(cursor: psycopg2.extensions.cursor, name: str, owner: str) -> None:
    cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (name,))
    found = cursor.fetchone()
    if found is None:
        _run(cursor, "CREATE DATABASE {} OWNER {}", name, owner)
    elif found[0] != owner:
        _run(cursor, "ALTER DATABASE {} OWNER TO {}", name, owner)


def _run(cursor: psycopg2.extensions.cursor, statement: str, *names: str) -> None:
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


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


def close_database(url: str, database: str, service: str) -> None:
    """Restrict a database to its owner, the service's runtime role and the auditor. The latter two may only connect.

    Migrations grant them what they need of each table.
    """
    names = {
        "database": sql.Identifier(database),
        "auditor": sql.Identifier(AUDITOR_ROLE),
        "owner": sql.Identifier(migration_role(service)),
        "runtime": sql.Identifier(runtime_role(service)),
    }
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        _hand_over_to_owner(cursor, names)
        for statement in (
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC, {runtime}",
            "GRANT CONNECT ON DATABASE {database} TO {auditor}, {runtime}",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC, {runtime}",
            "GRANT USAGE ON SCHEMA public TO {auditor}, {runtime}",
            "GRANT USAGE, CREATE ON SCHEMA public TO {owner}",
            # By default every role can write large objects.
            "REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC",
        ):
            cursor.execute(sql.SQL(statement).format(**names))


def _hand_over_to_owner(cursor: psycopg2.extensions.cursor, names: Mapping[str, sql.Identifier]) -> None:
    """Make the migration role the owner of what the runtime role owns, as it did in earlier versions.

    The rights on rows that the runtime role keeps are for processes that run meanwhile; the migrations, which follow,
    reduce them to those that are declared.
    """
    cursor.execute("SET LOCAL lock_timeout = %s", (HAND_OVER_LOCK_TIMEOUT,))
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = %s)",
        (names["runtime"].string,),
    )
    if cursor.fetchone() == (False,):
        return
    for statement in (
        "REASSIGN OWNED BY {runtime} TO {owner}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {runtime}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {runtime}",
    ):
        cursor.execute(sql.SQL(statement).format(**names))

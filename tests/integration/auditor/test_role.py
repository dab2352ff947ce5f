"""The auditor's role reads only the columns it needs and writes nothing."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest

from deploy.auditor import AUDITED
from deploy.provisioning import AUDITOR_ROLE
from deploy.services import DATABASES
from tests.support.servers import Servers

Cursor = psycopg2.extensions.cursor
Enter = Callable[[str], Cursor]

#: Columns that an audit does not need and whose disclosure would do harm.
SECRETS = {
    ("checks", "checks", "code_ciphertext"),
    ("checks", "checks", "note"),
    ("checks", "idempotency_keys", "answer"),
    ("payments", "notifications", "headers"),
    ("payments", "notifications", "body"),
    ("payments", "notifications", "address"),
    ("payments", "topups", "return_url"),
    ("payments", "attempts", "payment_url"),
    ("payments", "idempotency_keys", "answer"),
    ("accounts", "users", "password_hash"),
    ("accounts", "users", "login"),
    ("accounts", "sessions", "session_hash"),
    ("sandbox_bank", "payments", "page_key"),
    ("balance", "dead_letters", "envelope"),
}

_TABLES = (
    "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"
)
_COLUMNS = """
    SELECT c.relname, a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT')
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""


@pytest.fixture
def enter(make_database: Callable[[str], str], test_servers: Servers) -> Iterator[Enter]:
    """Return a function that opens a cursor in the auditor's role, with its default of read-only transactions off."""
    opened = []

    def connect(service: str) -> Cursor:
        name = make_database(service).rsplit("/", 1)[1]
        connection = psycopg2.connect(test_servers.postgres_url(name, AUDITOR_ROLE))
        connection.autocommit = True
        opened.append(connection)
        cursor = connection.cursor()
        cursor.execute("SET default_transaction_read_only = off")
        return cursor

    yield connect
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("service", DATABASES)
def test_auditor_can_write_no_table_and_no_sequence(enter: Enter, service: str) -> None:
    cursor = enter(service)
    cursor.execute(_TABLES)
    relations = [row[0] for row in cursor.fetchall()]
    assert relations
    for relation in relations:
        cursor.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", (relation,))
        if cursor.fetchall() == [("S",)]:
            cursor.execute("SELECT has_sequence_privilege(%s, 'USAGE, UPDATE')", (relation,))
        else:
            cursor.execute(
                "SELECT has_table_privilege(%s, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, MAINTAIN')"
                " OR has_any_column_privilege(%s, 'INSERT, UPDATE, REFERENCES')",
                (relation, relation),
            )
        assert cursor.fetchall() == [(False,)], relation


@pytest.mark.parametrize("service", DATABASES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "COPY (SELECT 1) TO '/tmp/mine'",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET fsync = off",
        "SET session_replication_role = replica",
        "SET ROLE postgres",
    ],
)
def test_auditor_can_create_nothing(enter: Enter, service: str, statement: str) -> None:
    cursor = enter(service)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(statement)


@pytest.mark.parametrize("service", DATABASES)
def test_auditor_reads_no_secret_column(enter: Enter, service: str) -> None:
    cursor = enter(service)
    cursor.execute(_COLUMNS)
    seen = {(service, table, column): may_read for table, column, may_read in cursor.fetchall()}
    secrets = {secret for secret in SECRETS if secret[0] == service}
    assert secrets <= set(seen), f"no such column: {secrets - set(seen)}"
    assert not [secret for secret in secrets if seen[secret]]


def test_auditor_reads_no_column_of_accounts(enter: Enter) -> None:
    cursor = enter("accounts")
    cursor.execute(_COLUMNS)
    assert not [row for row in cursor.fetchall() if row[2]]


@pytest.mark.parametrize("service", AUDITED)
def test_auditor_cannot_become_the_owner(enter: Enter, service: str) -> None:
    cursor = enter(service)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(f"SET ROLE fastcheck_{service}")


def test_sessions_of_the_auditor_are_read_only_by_default(
    make_database: Callable[[str], str], test_servers: Servers
) -> None:
    name = make_database("balance").rsplit("/", 1)[1]
    connection = psycopg2.connect(test_servers.postgres_url(name, AUDITOR_ROLE))
    with connection.cursor() as cursor:
        cursor.execute("SHOW default_transaction_read_only")
        assert cursor.fetchall() == [("on",)]
    connection.close()

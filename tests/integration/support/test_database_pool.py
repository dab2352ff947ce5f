"""A database is restored between two tests: rows, sequences and schema."""

from contextlib import closing
from typing import Any

import psycopg2
import pytest

from tests.support.database_pool import DatabasePool
from tests.support.servers import Servers

ACCOUNTS = "SELECT account_id::text, kind FROM accounts ORDER BY 1"
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
RECEIVE = "INSERT INTO inbox (event_id, type, source) VALUES (gen_random_uuid(), 'check.accepted.v1', 'checks')"


@pytest.fixture
def pool(test_servers: Servers) -> DatabasePool:
    return DatabasePool(test_servers)


def _run(servers: Servers, name: str, *statements: str) -> Any:
    """Run statements as the superuser without triggers; return the rows of the last one."""
    with closing(psycopg2.connect(servers.postgres_url(name))) as connection, connection, connection.cursor() as cursor:
        for statement in ("SET session_replication_role = replica", *statements):
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def test_rows_and_sequences_are_restored_under_another_name(pool: DatabasePool, test_servers: Servers) -> None:
    first = pool.take("balance")
    accounts, sequences = _run(test_servers, first, ACCOUNTS), _run(test_servers, first, SEQUENCES)
    assert accounts, "the migrations leave no accounts"
    _run(
        test_servers, first, RECEIVE, "DELETE FROM accounts WHERE kind = 'bank'", "UPDATE accounts SET currency = 'USD'"
    )
    _run(test_servers, first, "SELECT setval(c.oid, 77) FROM pg_class c WHERE relkind = 'S'")
    pool.give_back(first, "balance")
    second = pool.take("balance")
    assert second != first
    assert _run(test_servers, second, "SELECT count(*) FROM inbox") == [(0,)]
    assert (_run(test_servers, second, ACCOUNTS), _run(test_servers, second, SEQUENCES)) == (accounts, sequences)
    pool.give_back(second, "balance")
    assert pool.take("balance") not in {first, second}


def test_open_sessions_are_ended(pool: DatabasePool, test_servers: Servers) -> None:
    name = pool.take("balance")
    with closing(psycopg2.connect(test_servers.postgres_url(name))) as connection:
        pool.give_back(name, "balance")
        with pytest.raises(psycopg2.OperationalError):
            connection.cursor().execute("SELECT 1")


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE effects (id uuid)",
        "ALTER TABLE inbox DROP COLUMN last_error",
        "ALTER TABLE entries DISABLE TRIGGER ALL",
        "DROP INDEX inbox_unfinished",
        "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey CASCADE",
        "GRANT SELECT ON entries TO PUBLIC",
        "ALTER TABLE entries OWNER TO CURRENT_USER",
        "ANALYZE accounts",
        "CREATE OR REPLACE FUNCTION refuse_change_of_actions() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    ],
)
def test_database_with_a_changed_schema_is_not_used_again(
    pool: DatabasePool, test_servers: Servers, change: str
) -> None:
    name = pool.take("balance")
    _run(test_servers, name, change)
    pool.give_back(name, "balance")
    assert not any(pool._free.values())

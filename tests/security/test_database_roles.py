"""What a program with the database password of a service cannot do: change the schema, the ledger or the trail."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege

from common.db.rights import runtime_role
from tests.support import databases
from tests.support.servers import Servers

#: Each would change the ledger, or make a change possible.
ATTACKS_ON_BALANCE = [
    "ALTER TABLE entries DISABLE TRIGGER append_only",
    "ALTER TABLE entries DISABLE TRIGGER ALL",
    "ALTER TABLE accounts DROP CONSTRAINT balance_is_never_negative",
    "ALTER TABLE entries OWNER TO fastcheck_balance",
    "DROP TABLE entries CASCADE",
    "DROP TRIGGER check_entries ON entries",
    "DROP FUNCTION check_entries() CASCADE",
    "CREATE OR REPLACE FUNCTION check_entries() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TABLE public.mine (x int)",
    "CREATE TEMPORARY TABLE entries (x int)",
    "CREATE SCHEMA mine",
    "TRUNCATE entries",
    "UPDATE entries SET amount_minor = amount_minor",
    "DELETE FROM entries",
    "UPDATE transfers SET outcome = 'refused'",
    "DELETE FROM transfers",
    "UPDATE chain_links SET hash = hash",
    "DELETE FROM accounts",
    "UPDATE accounts SET user_id = user_id",
    "UPDATE operator_actions SET reason = 'none'",
    "DELETE FROM operator_actions",
    "UPDATE inbox SET event_id = event_id",
    "SET session_replication_role = replica",
    "SET ROLE fastcheck_balance_owner",
    "SELECT setval('transfers_transfer_no_seq', 1)",
    "COPY entries TO '/tmp/entries'",
    "UPDATE alembic_version SET version_num = '0001'",
]
ATTACKS_ON_CHECKS = [
    "ALTER TABLE checks DISABLE TRIGGER particulars_stay",
    "UPDATE checks SET amount_minor = 1",
    "UPDATE checks SET creator_id = check_id",
    "DELETE FROM checks",
    "TRUNCATE outbox",
    "UPDATE outbox SET payload = '{}'",
    "UPDATE outbox SET type = 'payment.confirmed.v1'",
    "UPDATE idempotency_keys SET answer = ''",
]
ATTACKS_ON_PAYMENTS = [
    "ALTER TABLE topups DROP CONSTRAINT topups_status_check",
    "UPDATE topups SET amount_minor = 1",
    "UPDATE topups SET user_id = topup_id",
    "DELETE FROM topups",
    "UPDATE refunds SET amount_minor = 1",
    "DELETE FROM attempts",
    "UPDATE notifications SET body = ''",
]
ATTACKS_ON_ACCOUNTS = [
    "ALTER TABLE users DROP CONSTRAINT users_password_hash_check",
    "UPDATE users SET login = 'alice'",
    "DELETE FROM users",
    "UPDATE sessions SET user_id = user_id",
    "TRUNCATE sessions",
]
ATTACKS = [
    (service, attack)
    for service, attacks in {
        "balance": ATTACKS_ON_BALANCE,
        "checks": ATTACKS_ON_CHECKS,
        "payments": ATTACKS_ON_PAYMENTS,
        "accounts": ATTACKS_ON_ACCOUNTS,
    }.items()
    for attack in attacks
]


@pytest.fixture(scope="module")
def as_service(test_servers: Servers) -> Iterator[Callable[[str], psycopg2.extensions.cursor]]:
    """Return a function that opens a cursor with the runtime role of a service, on one database for each service."""
    with ExitStack() as stack:

        @cache
        def connect(service: str) -> psycopg2.extensions.cursor:
            name = databases.create(test_servers, service)
            stack.callback(databases.drop, test_servers, name)
            connection = psycopg2.connect(test_servers.postgres_url(name, runtime_role(service)))
            stack.callback(connection.close)
            connection.autocommit = True
            return connection.cursor()

        yield connect


@pytest.mark.parametrize(("service", "attack"), ATTACKS)
def test_runtime_role_is_refused(
    service: str, attack: str, as_service: Callable[[str], psycopg2.extensions.cursor]
) -> None:
    with pytest.raises(InsufficientPrivilege):
        as_service(service).execute(attack)

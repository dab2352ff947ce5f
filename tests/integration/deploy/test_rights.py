"""The rights of the runtime roles in the catalogue of PostgreSQL are those that the services declare, and no others."""

import importlib
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from common.db.migrations import upgrade
from common.db.rights import DatabaseRights, RightsNotApplied, TableRights, migration_role, runtime_role
from deploy.services import DATABASES
from tests.support import databases
from tests.support.servers import Servers

Right = tuple[str, str, str]

#: (kind of object, object or its column, privilege) of a role in the current database, from PostgreSQL's catalogue.
#: A grant to PUBLIC counts: it is a right of each role. PostgreSQL's own schemas are left out.
_CATALOGUE = """
    WITH grantees AS (SELECT oid FROM pg_roles WHERE rolname = %(role)s UNION ALL SELECT 0)
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.relname::text, a.privilege_type
      FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.relnamespace = 'public'::regnamespace AND a.grantee IN (SELECT oid FROM grantees)
    UNION ALL
    SELECT 'column', c.relname || '.' || t.attname, a.privilege_type
      FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
     WHERE c.relnamespace = 'public'::regnamespace AND a.grantee IN (SELECT oid FROM grantees)
    UNION ALL
    SELECT 'schema', n.nspname::text, a.privilege_type
      FROM pg_namespace n, aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) a
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND a.grantee IN (SELECT oid FROM grantees)
    UNION ALL
    SELECT 'database', 'itself', a.privilege_type
      FROM pg_database d, aclexplode(COALESCE(d.datacl, acldefault('d', d.datdba))) a
     WHERE d.datname = current_database() AND a.grantee IN (SELECT oid FROM grantees)
    UNION ALL
    SELECT 'default', 'privileges', a.privilege_type
      FROM pg_default_acl d, aclexplode(d.defaclacl) a WHERE a.grantee IN (SELECT oid FROM grantees)
"""

#: What a role owns in the database, and the roles that it can become.
_OWNED = """
    SELECT classid::regclass::text, objid::bigint FROM pg_shdepend s
      JOIN pg_roles r ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
     WHERE s.deptype = 'o' AND r.rolname = %(role)s
       AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    UNION ALL
    SELECT 'member of', m.roleid::bigint FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
     WHERE r.rolname = %(role)s
"""


def declared(service: str) -> DatabaseRights:
    found: DatabaseRights = importlib.import_module(f"services.{service}.rights").RIGHTS
    return found


def expected(rights: DatabaseRights) -> list[Right]:
    tables = [
        right
        for name, table in rights.tables.items()
        for right in (
            ("table", name, "SELECT"),
            *([("table", name, "INSERT")] if table.insert else []),
            *([("table", name, "DELETE")] if table.delete else []),
            *(("column", f"{name}.{column}", "UPDATE") for column in table.update),
        )
    ]
    sequences = [("sequence", name, privilege) for name, privilege in rights.sequences.items()]
    return sorted([*tables, *sequences, ("database", "itself", "CONNECT"), ("schema", "public", "USAGE")])


@pytest.fixture
def catalogue(
    make_database: Callable[[str], str], test_servers: Servers
) -> Iterator[Callable[[str, str], list[tuple[object, ...]]]]:
    """Return a function that executes a query about a service's runtime role in a fresh database of the service."""
    connections = []

    def execute(service: str, query: str) -> list[tuple[object, ...]]:
        name = psycopg2.extensions.parse_dsn(make_database(service).replace("+psycopg2", ""))["dbname"]
        connections.append(psycopg2.connect(test_servers.postgres_url(name)))
        with connections[-1].cursor() as cursor:
            cursor.execute(query, {"role": runtime_role(service)})
            return cursor.fetchall()

    yield execute
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("service", DATABASES)
def test_runtime_role_has_exactly_the_declared_rights(
    service: str, catalogue: Callable[[str, str], list[tuple[object, ...]]]
) -> None:
    assert sorted(catalogue(service, _CATALOGUE)) == expected(declared(service))


@pytest.mark.parametrize("service", DATABASES)
def test_runtime_role_owns_nothing_and_is_a_member_of_no_role(
    service: str, catalogue: Callable[[str, str], list[tuple[object, ...]]]
) -> None:
    assert catalogue(service, _OWNED) == []


APPEND_ONLY = {
    "balance": ("transfers", "entries", "chain_blocks", "chain_links", "operator_actions"),
    "checks": ("operator_actions",),
    "payments": ("operator_actions",),
}
#: Who owns how much, and which money it is. No statement changes these after the insertion.
IMMUTABLE = {"amount_minor", "currency", "user_id", "creator_id", "subject_id", "payload", "type", "topup_id", "login"}


@pytest.mark.parametrize("service", sorted(APPEND_ONLY))
def test_records_are_append_only_for_the_runtime_role(service: str) -> None:
    rights = declared(service)
    assert all(rights.tables[name] == TableRights(insert=True) for name in APPEND_ONLY[service])


@pytest.mark.parametrize("service", ["accounts", "balance", "checks", "payments"])
def test_runtime_role_cannot_update_amounts_and_owners(service: str) -> None:
    updated = {(name, column) for name, table in declared(service).tables.items() for column in table.update}
    # A recorded notification of a bank gets its top-up when the bank repeats it.
    assert {each for each in updated if each[1] in IMMUTABLE} <= {("notifications", "topup_id")}


def test_migrations_refuse_to_run_as_the_runtime_role(
    make_database: Callable[[str], str], test_servers: Servers
) -> None:
    url = make_database("accounts")
    name = psycopg2.extensions.parse_dsn(url.replace("+psycopg2", ""))["dbname"]
    administrator = psycopg2.connect(test_servers.postgres_url(name))
    with administrator, administrator.cursor() as cursor:
        # As in a database of a version that had no migration role.
        cursor.execute(f"GRANT ALL ON alembic_version TO {runtime_role('accounts')}")
    administrator.close()
    with pytest.raises(RightsNotApplied, match="fastcheck_accounts, the role of the service"):
        upgrade("accounts", databases.direct_url(test_servers, "accounts", name))


def test_migrations_take_back_a_right_that_is_not_declared(
    make_database: Callable[[str], str], test_servers: Servers
) -> None:
    name = psycopg2.extensions.parse_dsn(make_database("balance").replace("+psycopg2", ""))["dbname"]
    administrator = psycopg2.connect(test_servers.postgres_url(name))
    administrator.autocommit = True
    with administrator.cursor() as cursor:
        cursor.execute("GRANT ALL ON entries, chain_blocks TO fastcheck_balance")
        cursor.execute("GRANT UPDATE (amount_minor) ON transfers TO fastcheck_balance")
        cursor.execute("GRANT ALL ON SEQUENCE transfers_transfer_no_seq TO fastcheck_balance")
        upgrade("balance", databases.owner_url(test_servers, "balance", name))
        cursor.execute(_CATALOGUE, {"role": "fastcheck_balance"})
        assert sorted(cursor.fetchall()) == expected(declared("balance"))
    administrator.close()


def test_runtime_and_migration_roles_are_different_roles() -> None:
    assert all(runtime_role(service) != migration_role(service) for service in DATABASES)

"""Sample books with every kind of operation, built once; each test damages copies of their databases."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import psycopg2
import pytest

from auditor import books
from auditor.books import Scope
from auditor.findings import Report
from auditor.sources import opened
from common.core.ids import derived_id
from deploy.provisioning import AUDITOR_ROLE
from services.payments.models import order_id_of
from tests.integration.auditor.in_process_system import InProcessSystem, in_process_system, populate
from tests.support import databases
from tests.support.database_pool import DatabasePool
from tests.support.servers import Servers

ALL: Final = Scope()


@dataclass
class SampleBooks:
    """The databases of one test. A database is copied before its first change."""

    servers: Servers
    pool: DatabasePool
    names: dict[str, str]
    ids: dict[str, str]
    #: Service and original of each copy, by its name.
    copies: dict[str, tuple[str, str]] = field(default_factory=dict)

    def damage(self, service: str, *statements: str) -> None:
        """Run statements as a superuser, with triggers and foreign keys off. ``{name}`` is an id of the books."""
        self.run(service, "SET session_replication_role = replica", *(text.format_map(self.ids) for text in statements))

    def run(self, service: str, *statements: str) -> None:
        """Run statements as the superuser in the copy of a database."""
        connection = psycopg2.connect(self.servers.postgres_url(self._copy(service)))
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def value(self, service: str, query: str) -> str:
        """Return the single value of a query as text."""
        connection = psycopg2.connect(self.servers.postgres_url(self.names[service]))
        with connection, connection.cursor() as cursor:
            cursor.execute(query.format_map(self.ids))
            row = cursor.fetchone()
        connection.close()
        assert row is not None, query
        return str(row[0])

    def audit(self, scope: Scope = ALL) -> Report:
        """Audit the books in the auditor's role."""
        urls = {service: self.servers.postgres_url(name, AUDITOR_ROLE) for service, name in self.names.items()}
        with opened(urls) as sources:
            return books.audit(sources, scope)

    def database_url(self, service: str) -> str:
        """Return the URL of a copy for the service's own role."""
        return databases.url(self.servers, service, self._copy(service))

    def _copy(self, service: str) -> str:
        if self.names[service] not in self.copies:
            original = self.names[service]
            self.names = {**self.names, service: self.pool.take(service, original)}
            self.copies[self.names[service]] = (service, original)
        return self.names[service]


@pytest.fixture(scope="session")
def populated_system(test_servers: Servers) -> Iterator[InProcessSystem]:
    """Build the sample books once. No connection stays open: the databases are templates for copies."""
    with in_process_system(test_servers) as system:
        populate(system)
    yield system
    for name in system.names.values():
        databases.drop(test_servers, name)


@pytest.fixture
def sample_books(
    populated_system: InProcessSystem,
    sample_ids: dict[str, str],
    test_servers: Servers,
    database_pool: DatabasePool,
) -> Iterator[SampleBooks]:
    """Return the sample books for one test."""
    books = SampleBooks(test_servers, database_pool, dict(populated_system.names), sample_ids)
    yield books
    for name, (service, original) in books.copies.items():
        database_pool.give_back(name, service, original)


@pytest.fixture(scope="session")
def sample_ids(populated_system: InProcessSystem, test_servers: Servers, database_pool: DatabasePool) -> dict[str, str]:
    """Return the ids of the sample books."""
    return named_ids(SampleBooks(test_servers, database_pool, dict(populated_system.names), {}), populated_system.ids)


_ENDS: Final = {"used": "accepted", "second used": "accepted", "late": "accepted", "in flight": "accepted"}


def named_ids(books: SampleBooks, names: dict[str, str]) -> dict[str, str]:
    """Return the ids of the sample books and of the transfers, accounts, entries and blocks derived from them."""
    ids = {
        **names,
        "unknown": str(uuid4()),
        "bank": _id("account", "bank", "RUB"),
        "escrow": _id("account", "escrow", "RUB"),
    }
    for name, value in {**names, "unknown": ids["unknown"]}.items():
        ids |= {
            f"account of {name}": _id("account", value, "RUB"),
            f"credit of {name}": _id("topup", value),
            f"debit of {name}": _id("topup_refunded", value),
            f"hold of {name}": _id("check_created", value),
            f"accepted of {name}": _id("check_accepted", value),
            f"end of {name}": _id(f"check_{_ENDS.get(name, name)}", value),
            f"refund of {name}": _id("topup_refunded", value),
            f"order of {name}": order_id_of(UUID(value), 1),
        }
    ids["event of in flight"] = _id("check.accepted.v1", ids["in flight"])
    ids["event of credit in flight"] = _id("payment.confirmed.v1", ids["credit in flight"])
    books.ids = ids
    entry = "SELECT entry_id FROM entries WHERE balance_after IS NOT NULL AND transfer_id = '{%s}'"
    for name in ("hold of late", "hold of used", "end of late"):
        ids[f"entry of {name}"] = books.value("balance", entry % name)
    ids["next entry"] = str(int(books.value("balance", "SELECT last_value FROM entries_entry_id_seq")) + 1)
    ids["last block"] = books.value("balance", "SELECT max(block_no) FROM chain_blocks")
    ids["block of used"] = books.value(
        "balance", "SELECT block_no FROM chain_links WHERE transfer_id = '{hold of used}'"
    )
    ids["last sealed entry"] = books.value(
        "balance", "SELECT max(entry_id) FROM entries JOIN chain_links USING (transfer_id)"
    )
    return ids


def _id(kind: str, *causes: str) -> str:
    return str(derived_id(kind, *causes))


@pytest.fixture
def empty_system(test_servers: Servers) -> Iterator[InProcessSystem]:
    """Return an in-process system with empty books that the test may change."""
    with in_process_system(test_servers) as system:
        yield system
    for name in system.names.values():
        databases.drop(test_servers, name)

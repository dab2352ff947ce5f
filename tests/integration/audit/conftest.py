"""A town with complete books, built once; each test damages a copy of one of its databases."""

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
from tests.integration.audit.town import Town, built, live
from tests.support import databases
from tests.support.servers import Servers

ALL: Final = Scope()


@dataclass
class Books:
    """The databases of one test: some of them copies that it may damage."""

    servers: Servers
    names: dict[str, str]
    ids: dict[str, str]
    copies: list[str] = field(default_factory=list)

    def damage(self, service: str, *statements: str) -> None:
        """Do what a superuser can who has switched off triggers and foreign keys. ``{name}``: an id of the town."""
        self.run(service, "SET session_replication_role = replica", *(text.format_map(self.ids) for text in statements))

    def run(self, service: str, *statements: str) -> None:
        """Run statements as the superuser in a copy of a database."""
        connection = psycopg2.connect(self.servers.postgres_url(self._copy(service)))
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def value(self, service: str, query: str) -> str:
        """One value from a database, as text."""
        connection = psycopg2.connect(self.servers.postgres_url(self.names[service]))
        with connection, connection.cursor() as cursor:
            cursor.execute(query.format_map(self.ids))
            row = cursor.fetchone()
        connection.close()
        assert row is not None, query
        return str(row[0])

    def audit(self, scope: Scope = ALL) -> Report:
        """What the auditor says of them, in his own role."""
        urls = {service: self.servers.postgres_url(name, AUDITOR_ROLE) for service, name in self.names.items()}
        with opened(urls) as sources:
            return books.audit(sources, scope)

    def database_url(self, service: str) -> str:
        """The URL of a copy that a service may write, in its own role."""
        return databases.url(self.servers, service, self._copy(service))

    def _copy(self, service: str) -> str:
        if self.names[service] not in self.copies:
            self.names = {**self.names, service: databases.copy(self.servers, service, self.names[service])}
            self.copies.append(self.names[service])
        return self.names[service]


@pytest.fixture(scope="session")
def town(test_servers: Servers) -> Iterator[Town]:
    """Built once. Its databases are the templates of the copies; nobody stays connected to them."""
    with built(test_servers) as town:
        live(town)
    yield town
    for name in town.names.values():
        databases.drop(test_servers, name)


@pytest.fixture
def books_of_town(town: Town, test_servers: Servers) -> Iterator[Books]:
    """The town's books, for one test."""
    own = Books(test_servers, dict(town.names), everything_named(town, test_servers))
    yield own
    for name in own.copies:
        databases.drop(test_servers, name)


_ENDS: Final = {"used": "accepted", "used too": "accepted", "late": "accepted", "on its way": "accepted"}


def everything_named(town: Town, servers: Servers) -> dict[str, str]:
    """The ids of the town, and those of the transfers, accounts, entries and blocks that follow from them."""
    ids = {
        **town.ids,
        "nobody": str(uuid4()),
        "bank": _id("account", "bank", "RUB"),
        "escrow": _id("account", "escrow", "RUB"),
    }
    for name, value in {**town.ids, "nobody": ids["nobody"]}.items():
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
    ids["event of on its way"] = _id("check.accepted.v1", ids["on its way"])
    ids["event of credit on its way"] = _id("payment.confirmed.v1", ids["credit on its way"])
    asked = Books(servers, dict(town.names), ids)
    entry = "SELECT entry_id FROM entries WHERE balance_after IS NOT NULL AND transfer_id = '{%s}'"
    for name in ("hold of late", "hold of used", "end of late"):
        ids[f"entry of {name}"] = asked.value("balance", entry % name)
    ids["next entry"] = str(int(asked.value("balance", "SELECT last_value FROM entries_entry_id_seq")) + 1)
    ids["last block"] = asked.value("balance", "SELECT max(block_no) FROM chain_blocks")
    ids["block of used"] = asked.value(
        "balance", "SELECT block_no FROM chain_links WHERE transfer_id = '{hold of used}'"
    )
    ids["last sealed entry"] = asked.value(
        "balance", "SELECT max(entry_id) FROM entries JOIN chain_links USING (transfer_id)"
    )
    return ids


def _id(kind: str, *causes: str) -> str:
    return str(derived_id(kind, *causes))


@pytest.fixture
def fresh_town(test_servers: Servers) -> Iterator[Town]:
    """An empty town of the test's own, with its services running."""
    with built(test_servers) as town:
        yield town
    for name in town.names.values():
        databases.drop(test_servers, name)

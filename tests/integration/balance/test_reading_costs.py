"""What is read of one account costs the same however many entries others have made."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from benchmarks import big_books
from common.core.ids import derived_id
from common.core.settings import DatabaseSettings
from common.db.connection import Connection
from common.db.engine import Database
from services.balance import repository
from tests.support.servers import Servers

LIMIT = 5
#: Entries of these books: some thousands, of which the reader has a handful.
CHECKS = 1_000
_READ = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'entries'"


@pytest.mark.parametrize(
    "read",
    [
        lambda tx, account: repository.statement(tx, account, before_entry_id=2**62, limit=LIMIT),
        lambda tx, account: repository.balance_before(tx, account, datetime.now(UTC)),
    ],
    ids=["statement", "balance at a moment"],
)
def test_nobody_elses_entries_are_read(
    make_database: Callable[[str], str], test_servers: Servers, read: Callable[[Connection, object], object]
) -> None:
    urls = {service: make_database(service) for service in big_books.SERVICES}
    reader = uuid4()
    big_books.write(
        {service: test_servers.postgres_url(url.rsplit("/", 1)[1]) for service, url in urls.items()},
        checks=CHECKS,
        known=[uuid4(), uuid4(), reader],
        code_key=Fernet.generate_key().decode(),
    )
    database = Database(urls["balance"], settings=DatabaseSettings(), application_name="test")
    try:
        before = _entries_read(database)
        with database.autocommit() as tx:
            assert read(tx, derived_id("account", reader, "RUB"))
        assert _entries_read(database) - before <= 2 * LIMIT
    finally:
        database.dispose()


def _entries_read(database: Database) -> int:
    with database.autocommit() as tx:
        tx.execute(text("SELECT pg_stat_force_next_flush()"))
        return int(tx.execute(text(_READ)).scalar_one())

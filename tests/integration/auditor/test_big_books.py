"""The books that the benchmarks generate pass the audit, and all their indexes are valid again."""

from collections.abc import Callable
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import pytest
from cryptography.fernet import Fernet

from auditor import books
from auditor.sources import opened
from benchmarks import big_books
from common.core.settings import DatabaseSettings
from common.db.engine import Database
from deploy.provisioning import AUDITOR_ROLE
from services.balance import chain
from tests.support.servers import Servers

CHECKS = 600


@pytest.fixture
def urls(make_database: Callable[[str], str], test_servers: Servers) -> dict[str, str]:
    """Return superuser URLs of fresh databases, by service."""
    names = {service: urlsplit(make_database(service)).path[1:] for service in big_books.SERVICES}
    return {service: test_servers.postgres_url(name) for service, name in names.items()}


def test_generated_books_have_no_findings(urls: dict[str, str], test_servers: Servers) -> None:
    users = [uuid4() for _ in range(4)]
    big_books.write(urls, checks=CHECKS, known=users, code_key=Fernet.generate_key().decode())
    url = test_servers.postgres_url(urlsplit(urls["balance"]).path[1:], "fastcheck_balance")
    database = Database(
        url.replace("postgresql://", "postgresql+psycopg2://", 1),
        settings=DatabaseSettings(),
        application_name="test",
    )
    sealed = chain.seal(database)
    database.dispose()
    auditor_urls = {
        service: test_servers.postgres_url(urlsplit(url).path[1:], AUDITOR_ROLE) for service, url in urls.items()
    }
    with opened(auditor_urls) as sources:
        report = books.audit(sources)
    assert report.findings == []
    assert report.counts["checks"] == CHECKS
    assert report.counts["transfers"] == sum(block.transfers for block in sealed)
    assert report.counts["entries"] == 2 * report.counts["transfers"] > 3 * CHECKS


def test_every_index_is_valid_after_generation(urls: dict[str, str]) -> None:
    big_books.write(urls, checks=100, known=[], code_key=Fernet.generate_key().decode())
    for url in urls.values():
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready)")
            assert cursor.fetchall() == []
        connection.close()

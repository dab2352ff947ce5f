"""Books that were dumped and restored are as right as before, and damage to a restored guard is found."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.embedded.binaries import postgres_bin
from tests.integration.auditor.conftest import SampleBooks
from tests.support import databases
from tests.support.servers import Servers

#: Copies the books into databases that were dumped and restored.
Restore = Callable[[SampleBooks], None]


@pytest.fixture
def restore(test_servers: Servers, tmp_path: Path) -> Iterator[Restore]:
    """``restore(books)`` replaces each database of the books by its restored dump."""
    made: list[str] = []

    def restored(service: str, name: str) -> str:
        dump, copy = tmp_path / f"{name}.dump", databases.create_empty(test_servers, service)
        made.append(copy)
        run("pg_dump", "--format=custom", f"--file={dump}", test_servers.postgres_url(name))
        run("pg_restore", "--exit-on-error", f"--dbname={test_servers.postgres_url(copy)}", str(dump))
        return copy

    def run(program: str, *arguments: str) -> None:
        result = subprocess.run(
            [str(postgres_bin(None) / program), *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert result.returncode == 0, result.stderr

    def restore_all(books: SampleBooks) -> None:
        books.names = {service: restored(service, name) for service, name in books.names.items()}

    yield restore_all
    for name in made:
        databases.drop(test_servers, name)


def test_dumped_and_restored_books_pass_the_audit(sample_books: SampleBooks, restore: Restore) -> None:
    before = sample_books.audit()
    assert before.is_clean
    for _ in range(2):
        restore(sample_books)
        after = sample_books.audit()
        assert after.findings == []
        assert after.counts == before.counts


#: As the migration makes it, without one status.
WEAKENED = """
    DROP TRIGGER endings_stay ON checks;
    CREATE TRIGGER endings_stay BEFORE UPDATE ON checks FOR EACH ROW
        WHEN (OLD.status NOT IN ('pending')
              AND (NEW.acceptor_id, NEW.closes_at) IS DISTINCT FROM (OLD.acceptor_id, OLD.closes_at))
        EXECUTE FUNCTION refuse_change()
"""


@pytest.mark.parametrize(
    ("service", "statement", "guard"),
    [
        ("checks", WEAKENED, "checks trigger endings_stay on checks"),
        ("balance", "ALTER TABLE entries DISABLE TRIGGER append_only", "balance trigger append_only on entries"),
    ],
)
def test_changed_guard_of_restored_books_is_found(
    sample_books: SampleBooks, restore: Restore, service: str, statement: str, guard: str
) -> None:
    sample_books.run(service, statement)
    restore(sample_books)
    assert [(finding.subject, finding.message) for finding in sample_books.audit().findings] == [
        (guard, "is disabled or changed")
    ]

"""Rows by the million into empty tables: COPY first, indexes after."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg2

LINES_AT_ONCE: Final = 20_000

#: Settings of a server without durability, for rows that can be written again after a crash.
THROWAWAY: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "maintenance_work_mem": "512MB",
}

_SUSPEND: Final = "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = ANY (%s::regclass[])"


class Lines:
    """Collects lines of one table in COPY's text format and sends them in batches."""

    def __init__(self, connection: Any, table: str, columns: str) -> None:
        self._connection = connection
        self._command = f"COPY {table} ({columns}) FROM STDIN"
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= LINES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.copy_expert(self._command, _Joined(self._lines))
        self._lines = []


class _Joined:
    """A file object from which COPY reads all lines at once."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._text = "".join(f"{line}\n" for line in lines)

    def read(self, _size: int) -> str:
        text, self._text = self._text, ""
        return text


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """Open a superuser's connection with triggers and foreign keys disabled; the audit verifies the rows afterwards."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
        yield connection
    finally:
        connection.close()


def suspend_indexes(connection: Any, tables: Sequence[str]) -> None:
    """Disable all indexes of the tables. Rebuilding them at the end by sorting is much cheaper than updating them."""
    with connection.cursor() as cursor:
        cursor.execute(_SUSPEND, (list(tables),))


def finish(connection: Any, tables: Sequence[str]) -> None:
    """Rebuild all indexes, which detects duplicates, and vacuum the tables."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"REINDEX TABLE {table}")
        cursor.execute("VACUUM (FREEZE, ANALYZE)")

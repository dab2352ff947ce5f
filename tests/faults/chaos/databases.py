"""Administrator connections to the databases of a system that may be down."""

from typing import Any, Final

import psycopg2

from tests.support.system import RunningSystem

NAMES: Final = ("accounts", "balance", "checks", "payments", "sandbox_bank")

Rows = list[tuple[Any, ...]]


class Databases:
    """One connection per database, opened on demand and reopened after a loss."""

    def __init__(self, system: RunningSystem) -> None:
        self._system = system
        self._open: dict[str, Any] = {}

    def rows(self, name: str, sql: str) -> Rows:
        """Return the rows of a query; raise psycopg2.Error without a server."""
        connection = self._open.get(name)
        if connection is None or connection.closed:
            connection = psycopg2.connect(self._system.database_url(name), connect_timeout=3)
            connection.set_session(autocommit=True, readonly=True)
            self._open[name] = connection
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except psycopg2.Error:
            connection.close()
            raise

    def ids(self, name: str, sql: str) -> set[str]:
        """Return the first column as text."""
        return {str(row[0]) for row in self.rows(name, sql)}

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

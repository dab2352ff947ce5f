"""The administrator's eyes: connections to the databases of a system that may be down at any moment."""

from collections.abc import Sequence
from typing import Any, Final

import psycopg2

from tests.support.system import RunningSystem

NAMES: Final = ("accounts", "balance", "checks", "payments", "sandbox_bank")

Rows = list[tuple[Any, ...]]


class Databases:
    """One connection to each database, made when it is needed and again after a loss."""

    def __init__(self, system: RunningSystem) -> None:
        self._system = system
        self._open: dict[str, Any] = {}

    def rows(self, name: str, sql: str, parameters: Sequence[object] | None = None) -> Rows:
        """The rows of a query; raises psycopg2.Error when the server is away."""
        connection = self._open.get(name)
        if connection is None or connection.closed:
            connection = psycopg2.connect(self._system.database_url(name), connect_timeout=3)
            connection.set_session(autocommit=True, readonly=True)
            self._open[name] = connection
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall())
        except psycopg2.Error:
            connection.close()
            raise

    def ids(self, name: str, sql: str) -> set[str]:
        """The first column, as text."""
        return {str(row[0]) for row in self.rows(name, sql)}

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

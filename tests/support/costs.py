"""Count the database cost of a flow: round trips and commits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event

from common.db.engine import Database

#: Round trips, commits.
Cost = tuple[int, int]


@contextmanager
def counted(*databases: Database) -> Iterator[Callable[[], Cost]]:
    """Count the cost of all threads since the block began. BEGIN travels with the first statement."""
    seen: list[str] = []

    def statement(connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        writes = _is_autocommit(connection) and not sql.lstrip().startswith("SELECT")
        seen.append("statement and commit" if writes else "statement")

    def commit(connection: Connection) -> None:
        if not _is_autocommit(connection):
            seen.append("commit")

    listeners: dict[str, Callable[..., None]] = {"before_cursor_execute": statement, "commit": commit}
    for database in databases:
        for name, listener in listeners.items():
            event.listen(database._engine, name, listener)
    try:
        yield lambda: (len(seen), seen.count("commit") + seen.count("statement and commit"))
    finally:
        for database in databases:
            for name, listener in listeners.items():
                event.remove(database._engine, name, listener)


def _is_autocommit(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") is None

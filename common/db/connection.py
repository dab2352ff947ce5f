"""What a repository executes its statements on: SQLAlchemy's pool and errors, and as little as can be in between.

SQLAlchemy's own ``Connection`` compiles, dispatches and types each execution anew. For SQL that is text already this
was a third of what a request cost in Python; see ``docs/decisions/0017-statements-without-sqlalchemy-connection.md``.
"""

from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Self, TypeAlias

import psycopg2
from sqlalchemy import Engine, TextClause, text
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.pool import PoolProxiedConnection

from common.db.driver import LeanConnection, is_prepared

#: A row by the names of its columns.
RowMapping: TypeAlias = Mapping[str, Any]

_DIALECT: Final = PGDialect_psycopg2(paramstyle="pyformat")  # type: ignore[no-untyped-call]


class Result:
    """All rows of one execution, already fetched. A row has its columns as attributes."""

    __slots__ = ("_names", "_rows", "rowcount")

    def __init__(self, names: tuple[str, ...], rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._names = names
        self._rows = rows
        #: Number of rows returned or changed.
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return map(_row_type(self._names)._make, self._rows)

    def one(self) -> Any:
        """Return the only row; raises NoResultFound or MultipleResultsFound."""
        return _row_type(self._names)._make(self._only())

    def one_or_none(self) -> Any:
        """Return the only row, or None; raises MultipleResultsFound."""
        return self.one() if self._rows else None

    def scalar_one(self) -> Any:
        """The first column of the only row; raises NoResultFound or MultipleResultsFound."""
        return self._only()[0]

    def scalar_one_or_none(self) -> Any:
        """The first column of the only row, or None; raises MultipleResultsFound."""
        return self._only()[0] if self._rows else None

    def mappings(self) -> "MappingResult":
        """Return the rows as mappings from column name to value."""
        return MappingResult(self._names, self._rows)

    def _only(self) -> tuple[Any, ...]:
        return _only(self._rows)


class MappingResult:
    """Rows as mappings from the name of a column to its value."""

    __slots__ = ("_names", "_rows")

    def __init__(self, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        self._names = names
        self._rows = rows

    def __iter__(self) -> Iterator[RowMapping]:
        return (dict(zip(self._names, row, strict=True)) for row in self._rows)

    def one(self) -> RowMapping:
        """Return the only row; raises NoResultFound or MultipleResultsFound."""
        return dict(zip(self._names, _only(self._rows), strict=True))

    def one_or_none(self) -> RowMapping | None:
        """Return the only row, or None; raises MultipleResultsFound."""
        return self.one() if self._rows else None


class Connection:
    """A connection of the pool for as long as a use case has it; see ``Database`` for whether it is a transaction.

    Statements are SQLAlchemy's ``text`` or our ``prepared``, with ``:name`` for parameters. Errors are SQLAlchemy's
    too; they do not show the parameters, which may be secret. Listeners of SQLAlchemy's events on the engine are told.
    """

    __slots__ = ("_driver", "_engine", "_pooled", "in_autocommit")

    def __init__(self, engine: Engine, *, in_autocommit: bool) -> None:
        """Take a connection from the pool; raises ``sqlalchemy.exc.TimeoutError`` if none is free, or a DBAPIError."""
        self._engine = engine
        try:
            self._pooled: PoolProxiedConnection = engine.raw_connection()
        except psycopg2.Error as error:
            raise _translated(engine, error, "connect", lost=True) from error
        self._driver: LeanConnection = self._pooled.driver_connection  # type: ignore[assignment]
        self.in_autocommit = in_autocommit
        self._driver.begins = not in_autocommit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _where: object) -> None:
        """Commit the transaction, or roll it back on an exception; return the connection to the pool."""
        try:
            if not self.in_autocommit:
                self._end(failed=kind is not None)
        finally:
            self.close()

    def _end(self, *, failed: bool) -> None:
        if failed:
            self.rollback()
            return
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def close(self) -> None:
        """Return the connection to the pool, which rolls back uncommitted changes."""
        self._pooled.close()

    def execute(self, statement: TextClause, parameters: Mapping[str, object] | None = None) -> Result:
        """Execute a statement in one round trip; raises a ``sqlalchemy.exc.DBAPIError``."""
        query, watched = _compiled(statement.text), self._engine.dispatch
        values = parameters or {}
        with self._driver.cursor() as cursor:
            for tell in watched.before_cursor_execute:
                tell(self, cursor, query, values, None, False)
            try:
                cursor.execute(self._driver.prepare(query) if is_prepared(statement) else query, values)
                found = cursor.description
                result = Result(_names(found), cursor.fetchall(), cursor.rowcount) if found else _changed(cursor)
            except psycopg2.Error as error:
                raise self._failed(error, query) from error
            for tell in watched.after_cursor_execute:
                tell(self, cursor, query, values, None, False)
        return result

    def commit(self) -> None:
        """Commit; raises a ``sqlalchemy.exc.DBAPIError``, after which the outcome is unknown."""
        for tell in self._engine.dispatch.commit:
            tell(self)
        try:
            self._driver.commit()
        except psycopg2.Error as error:
            raise self._failed(error, "COMMIT") from error

    def rollback(self) -> None:
        """Roll back. If that fails the connection is discarded, which also ends the transaction."""
        if self._driver.closed:
            return
        try:
            self._driver.rollback()
        except psycopg2.Error as error:
            self._pooled.invalidate(error)

    def _failed(self, error: psycopg2.Error, query: str) -> Exception:
        dialect = self._engine.dialect
        lost = dialect.is_disconnect(error, self._pooled, None)  # type: ignore[arg-type]
        if lost and self._pooled.is_valid:
            self._pooled.invalidate(error)
        for tell in dialect.dispatch.handle_error:
            tell(error)
        return _translated(self._engine, error, query, lost=lost)


def _translated(engine: Engine, error: psycopg2.Error, query: str, *, lost: bool) -> Exception:
    return DBAPIError.instance(
        query, None, error, psycopg2.Error, hide_parameters=True, connection_invalidated=lost, dialect=engine.dialect
    )


@lru_cache(maxsize=1024)
def _compiled(statement: str) -> str:
    return str(text(statement).compile(dialect=_DIALECT))


def _names(description: Sequence[Any]) -> tuple[str, ...]:
    return tuple([column[0] for column in description])


@lru_cache(maxsize=1024)
def _row_type(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names, rename=True)  # noqa: PYI024  its fields are not known before


def _changed(cursor: Any) -> Result:
    return Result((), [], cursor.rowcount)


def _only(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    if len(rows) == 1:
        return rows[0]
    if not rows:
        raise NoResultFound("one row was expected, and none was found")
    raise MultipleResultsFound("one row was expected, and several were found")

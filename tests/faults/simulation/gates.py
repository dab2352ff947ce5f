"""Where actors meet the database: every statement and every commit is a gate, and may fail there.

It is put between psycopg2 and all that is above it, so that the code above sees failures as psycopg2 tells them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg2
from sqlalchemy import event

from common.db.engine import Database
from tests.faults.simulation.actors import Actor, Stage, current
from tests.faults.simulation.failures import AWAY, CONFLICT, LOST, UNHEARD, error_of

_QUERY_CANCELED: Final = "57014"


def put_gates(db: Database, stage: Callable[[], Stage]) -> None:
    """Make every statement and every commit on this database a gate for the actor who comes to it."""

    def on_connect(connection: Any, _record: object) -> None:
        connection.cursor_factory = _gated(connection.cursor_factory, stage)

    event.listen(db._engine, "connect", on_connect)
    event.listen(db._engine, "checkin", _after_use)


def _gated(cursor_class: type[Any], stage: Callable[[], Stage]) -> type[Any]:
    """A cursor whose statements are gates."""

    class GatedCursor(cursor_class):  # type: ignore[misc]  # whatever the connection has
        def execute(self, query: str, parameters: Any = None) -> None:
            actor = current()
            if actor is None or query == "ROLLBACK":
                super().execute(query, parameters)
                return
            actor.backend_pid = self.connection.info.backend_pid
            with _taken_back_when_lost(self.connection):
                stage().gate("commit" if query == "COMMIT" else "statement")
                _fail(actor, LOST, CONFLICT, AWAY)
            try:
                super().execute(query, parameters)
            except psycopg2.errors.QueryCanceled as error:
                raise _why(actor, error) from error
            with _taken_back_when_lost(self.connection):
                _fail(actor, UNHEARD)

    return GatedCursor


@contextmanager
def _taken_back_when_lost(connection: Any) -> Iterator[None]:
    """The server takes the transaction of a lost client back soon; here it must be at once."""
    try:
        yield
    except BaseException:
        connection.rollback()
        raise


def _fail(actor: Actor, *failures: str) -> None:
    failure = actor.failure
    if failure in failures:
        if failure != AWAY:
            actor.failure = ""
        raise error_of(failure)


def _why(actor: Actor, error: psycopg2.Error) -> psycopg2.Error:
    """Tell a statement that the scheduler has given up as PostgreSQL would have told its reason."""
    reason, actor.given_up = actor.given_up, ""
    return error_of(reason) if reason else error


def _after_use(*_: Any) -> None:
    actor = current()
    if actor is not None:
        actor.backend_pid = 0

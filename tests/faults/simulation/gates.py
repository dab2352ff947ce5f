"""Gates in the database driver: every statement and every commit is a gate and may fail.

They are placed directly above psycopg2, so that the services see failures as psycopg2 reports them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg2
from sqlalchemy import event

from common.db.engine import Database
from tests.faults.simulation.actors import Actor, Scheduler, current
from tests.faults.simulation.failures import AWAY, CONFLICT, LOST, UNHEARD, error_of

_QUERY_CANCELED: Final = "57014"


def put_gates(db: Database, scheduler: Callable[[], Scheduler]) -> None:
    """Make every statement and every commit on this database a gate."""

    def on_connect(connection: Any, _record: object) -> None:
        connection.cursor_factory = _gated(connection.cursor_factory, scheduler)

    event.listen(db._engine, "connect", on_connect)
    event.listen(db._engine, "checkin", _after_use)
    db.dispose()  # the connection of the check at the start has no gates


def _gated(cursor_class: type[Any], scheduler: Callable[[], Scheduler]) -> type[Any]:
    """Return a cursor class whose statements are gates."""

    class GatedCursor(cursor_class):  # type: ignore[misc]  # the connection's own class
        def execute(self, query: str, parameters: Any = None) -> None:
            actor = current()
            if actor is None or query == "ROLLBACK":
                super().execute(query, parameters)
                return
            actor.backend_pid = self.connection.info.backend_pid
            with _rolled_back_on_error(self.connection):
                scheduler().gate("commit" if query == "COMMIT" else "statement")
                _fail(actor, LOST, CONFLICT, AWAY)
            try:
                super().execute(query, parameters)
            except psycopg2.errors.QueryCanceled as error:
                raise _why(actor, error) from error
            with _rolled_back_on_error(self.connection):
                _fail(actor, UNHEARD)

    return GatedCursor


@contextmanager
def _rolled_back_on_error(connection: Any) -> Iterator[None]:
    """Roll back at once. A server does so a little later when it loses a client."""
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
    """Return the error that PostgreSQL reports for the reason of a cancellation."""
    reason, actor.given_up = actor.given_up, ""
    return error_of(reason) if reason else error


def _after_use(*_: Any) -> None:
    actor = current()
    if actor is not None:
        actor.backend_pid = 0

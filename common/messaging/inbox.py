"""Events arrive through the database: the id and the effect of an event in one transaction, many at a time.

Attempts are counted and committed *before* a handler runs, so that an event that kills its worker is
found out too. An event that fails is set apart from its batch, tried again when the outbox sends it
again, and parked in ``dead_letters`` after ``max_attempts``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from common.contracts.envelope import Envelope
from common.contracts.events import Event, unpack
from common.core.logging import get_logger
from common.db.driver import prepared
from common.db.engine import Database
from common.db.retry import retry_on_conflict

log = get_logger(__name__)

#: Makes a list of events of one type true, in the transaction that it is given.
Handler = Callable[[Connection, Sequence[Any]], None]

_COUNT_ATTEMPTS = prepared("""
    INSERT INTO inbox AS i (event_id, type, source)
    SELECT e.event_id, e.type, :source
      FROM unnest(CAST(:event_ids AS uuid[]), CAST(:types AS text[])) AS e (event_id, type)
     ORDER BY e.event_id
    ON CONFLICT (event_id) DO UPDATE
       SET attempts = i.attempts + CASE WHEN i.processed_at IS NULL AND i.parked_at IS NULL THEN 1 ELSE 0 END
    RETURNING event_id, attempts, processed_at IS NOT NULL OR parked_at IS NOT NULL AS finished
""")

_LOCK_UNPROCESSED = prepared("""
    SELECT event_id FROM inbox
     WHERE event_id = ANY(CAST(:event_ids AS uuid[])) AND processed_at IS NULL AND parked_at IS NULL
     ORDER BY event_id
       FOR UPDATE
""")

_MARK_PROCESSED = prepared("""
    UPDATE inbox SET processed_at = clock_timestamp() WHERE event_id = ANY(CAST(:event_ids AS uuid[]))
""")

_PURGE = text("""
    DELETE FROM inbox
     WHERE event_id IN (SELECT event_id FROM inbox
                         WHERE processed_at < now() - make_interval(days => :days)
                           AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.event_id = inbox.event_id)
                         ORDER BY processed_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")

_RECORD_ERROR = text("UPDATE inbox SET last_error = :error WHERE event_id = :event_id")

_PARK = text("""
    WITH parked AS (
        UPDATE inbox SET parked_at = clock_timestamp(), last_error = COALESCE(:error, last_error)
         WHERE event_id = :event_id AND processed_at IS NULL AND parked_at IS NULL
        RETURNING event_id, source, attempts, last_error
    )
    INSERT INTO dead_letters (event_id, source, envelope, attempts, error)
    SELECT event_id, source, CAST(:envelope AS jsonb), attempts,
           COALESCE(last_error, 'the worker died while it handled this event') FROM parked
    ON CONFLICT (event_id) DO UPDATE
       SET attempts = EXCLUDED.attempts, error = EXCLUDED.error, parked_at = now(),
           resolved_at = NULL, resolution = NULL, reason = NULL
""")


@dataclass(frozen=True, slots=True)
class _Received:
    envelope: Envelope
    attempts: int


class Inbox:
    """The receiving side of one service."""

    def __init__(self, db: Database, handlers: Mapping[str, Handler], *, max_attempts: int) -> None:
        self._db = db
        self._handlers = handlers
        self._max_attempts = max_attempts

    def receive(self, source: str, envelopes: Sequence[Envelope]) -> list[UUID]:
        """Make the events true, each exactly once; returns the ids that ``source`` need not send again.

        Safe to run any number of times, and at the same time, with the same events.
        """
        by_id = {envelope.event_id: envelope for envelope in envelopes}
        finished: list[UUID] = []
        first: list[Envelope] = []
        again: list[_Received] = []
        for event_id, attempts, already_finished in self._count_attempts(source, list(by_id.values())):
            if already_finished:
                finished.append(event_id)
            elif attempts == 1:
                first.append(by_id[event_id])
            else:
                again.append(_Received(by_id[event_id], attempts))
        if first:
            try:
                self._apply(first)
                finished.extend(envelope.event_id for envelope in first)
            except Exception as error:  # noqa: BLE001  whatever one event raised must not stop the others
                log.warning("event batch failed, trying one by one", events=len(first), error=repr(error))
                again.extend(_Received(envelope, 1) for envelope in first)
        finished.extend(item.envelope.event_id for item in again if self._apply_alone(item))
        return finished

    @retry_on_conflict
    def _count_attempts(self, source: str, envelopes: Sequence[Envelope]) -> list[tuple[UUID, int, bool]]:
        with self._db.autocommit() as tx:
            rows = tx.execute(
                _COUNT_ATTEMPTS,
                {
                    "source": source,
                    "event_ids": [e.event_id for e in envelopes],
                    "types": [e.type for e in envelopes],
                },
            )
            return [(row.event_id, row.attempts, row.finished) for row in rows]

    @retry_on_conflict
    def _apply(self, envelopes: Sequence[Envelope]) -> None:
        """One transaction: whoever holds the inbox rows applies the effects, anybody else finds them processed."""
        with self._db.transaction() as tx:
            ids = [envelope.event_id for envelope in envelopes]
            open_ids = {row.event_id for row in tx.execute(_LOCK_UNPROCESSED, {"event_ids": ids})}
            todo = sorted((e for e in envelopes if e.event_id in open_ids), key=lambda e: e.type)
            for event_type, group in groupby(todo, key=lambda e: e.type):
                events: list[Event] = [unpack(envelope) for envelope in group]
                self._handlers[event_type](tx, events)
            tx.execute(_MARK_PROCESSED, {"event_ids": list(open_ids)})

    def _apply_alone(self, item: _Received) -> bool:
        """Returns True when the publisher need not send the event again: it is applied, or parked."""
        envelope = item.envelope
        if item.attempts > self._max_attempts:
            self._park(envelope, error=None)
            return True
        try:
            self._apply([envelope])
        except Exception as error:
            log.error(
                "event failed",
                event_id=str(envelope.event_id),
                type=envelope.type,
                attempts=item.attempts,
                exc_info=True,
            )
            if item.attempts >= self._max_attempts:
                self._park(envelope, error=repr(error))
                return True
            with self._db.autocommit() as tx:
                tx.execute(_RECORD_ERROR, {"event_id": envelope.event_id, "error": repr(error)[:2000]})
            return False
        return True

    def _park(self, envelope: Envelope, *, error: str | None) -> None:
        with self._db.autocommit() as tx:
            tx.execute(
                _PARK,
                {
                    "event_id": envelope.event_id,
                    "envelope": json.dumps(envelope.to_wire()),
                    "error": error[:2000] if error else None,
                },
            )
        log.error("event parked", event_id=str(envelope.event_id), type=envelope.type)


def purge_processed(tx: Connection, *, older_than_days: int, limit: int) -> int:
    """Delete a batch of rows of events that were processed long ago; returns how many."""
    return tx.execute(_PURGE, {"days": older_than_days, "limit": limit}).rowcount

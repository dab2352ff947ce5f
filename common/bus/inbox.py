"""The inbox: apply received events exactly once, with the event's id and its effect in one transaction.

Events are applied in batches. Attempts are counted and committed *before* a handler runs, so that an event that kills
its worker is detected. If a batch fails, each of its events is applied in its own transaction. A failed event is
retried when the outbox sends it again, and parked in ``dead_letters`` after ``max_attempts``.

Transient errors (lock time-out, conflict, lost connection) do not count against the event's attempts: the attempt is
refunded. While the database is unavailable, the process defers refunds in memory; if it exits before it can write
them, the event has lost one attempt.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from common import log_events
from common.contracts.envelope import Envelope
from common.contracts.events import Event, unpack
from common.core.logging import get_logger
from common.db.engine import Database
from common.db.errors import is_transient, retry_on_conflict, transient_sqlstate

log = get_logger(__name__)

#: Applies events of one type in the given transaction.
Handler = Callable[[Connection, Sequence[Any]], None]

#: Time budget for applying events one by one; the remaining events wait for a resend. It is well below the broker's
#: visibility time-out, even if the last event waits for a lock.
ONE_BY_ONE_SECONDS: Final = 20.0
#: A worker that started an attempt this long ago, has not recorded its outcome and does not hold the event's lock is
#: considered dead: the event killed it.
WORKER_DEAD_AFTER_SECONDS: Final = 10.0
#: Maximum number of refunds deferred in memory while the database is unavailable. One message has a few hundred events.
MAX_DEFERRED_REFUNDS: Final = 10_000

# A new event is registered with its first attempt, that of its batch. A known event's attempt is counted right before
# it is applied, so that it is not charged when an earlier event kills the worker.
_REGISTER = text("""
    WITH given AS (
        SELECT * FROM unnest(CAST(:event_ids AS uuid[]), CAST(:types AS text[])) AS e (event_id, type)
    ), new AS (
        INSERT INTO inbox (event_id, type, source)
        SELECT event_id, type, :source FROM given ORDER BY event_id
        ON CONFLICT (event_id) DO NOTHING
        RETURNING event_id
    )
    SELECT given.event_id, new.event_id IS NOT NULL AS is_new, i.last_error IS NOT NULL AS failed_before,
           i.processed_at IS NOT NULL OR i.parked_at IS NOT NULL AS finished
      FROM given LEFT JOIN new USING (event_id) LEFT JOIN inbox i USING (event_id)
""")

_COUNT_ATTEMPT = text("""
    UPDATE inbox SET attempts = attempts + 1, tried_at = clock_timestamp()
     WHERE event_id = :event_id AND processed_at IS NULL AND parked_at IS NULL AND attempts < :max_attempts
    RETURNING attempts
""")

# No row: it was purged. The event is not known to be finished, and its next sending registers it again.
_IS_FINISHED = text("""
    SELECT EXISTS (SELECT 1 FROM inbox
                    WHERE event_id = :event_id AND (processed_at IS NOT NULL OR parked_at IS NOT NULL))
""")

_REFUND_ATTEMPTS = text("""
    UPDATE inbox i
       SET attempts = GREATEST(i.attempts - 1, 0), last_error = COALESCE(e.error, i.last_error)
      FROM (SELECT * FROM unnest(CAST(:event_ids AS uuid[]), CAST(:errors AS text[])) AS e (event_id, error)
             ORDER BY event_id) e
     WHERE i.event_id = e.event_id AND i.processed_at IS NULL AND i.parked_at IS NULL
""")

_LOCK = text("""
    SELECT event_id, processed_at IS NULL AND parked_at IS NULL AS is_open FROM inbox
     WHERE event_id = ANY(CAST(:event_ids AS uuid[]))
     ORDER BY event_id
       FOR UPDATE
""")

_MARK_PROCESSED = text("""
    UPDATE inbox SET processed_at = clock_timestamp() WHERE event_id = ANY(CAST(:event_ids AS uuid[]))
""")

_PURGE = text("""
    DELETE FROM inbox
     WHERE event_id IN (SELECT event_id FROM inbox
                         WHERE processed_at < now() - make_interval(days => :days)
                           AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.event_id = inbox.event_id)
                         ORDER BY processed_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")

# The publisher no longer sends these events, because a synchronous command had their effect. One that it does send
# again is registered anew.
_PURGE_UNPROCESSED = text("""
    DELETE FROM inbox
     WHERE event_id IN (SELECT event_id FROM inbox
                         WHERE processed_at IS NULL AND parked_at IS NULL
                           AND received_at < now() - make_interval(days => :days)
                           AND COALESCE(tried_at, received_at) < now() - make_interval(days => :days)
                           AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.event_id = inbox.event_id)
                         ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")

_RECORD_ERROR = text("UPDATE inbox SET last_error = :error WHERE event_id = :event_id")

# Without an error the event is parked only if the worker of its last attempt is considered dead.
_PARK = text("""
    WITH parked AS (
        UPDATE inbox
           SET parked_at = clock_timestamp(),
               last_error = COALESCE(:error, 'the worker died while it handled this event'
                                             || COALESCE('; before that: ' || last_error, ''))
         WHERE event_id = :event_id AND processed_at IS NULL AND parked_at IS NULL
           AND (CAST(:error AS text) IS NOT NULL
                OR COALESCE(tried_at, received_at) < clock_timestamp() - make_interval(secs => :dead_after))
        RETURNING event_id, source, attempts, last_error
    )
    INSERT INTO dead_letters (event_id, source, envelope, attempts, error)
    SELECT event_id, source, CAST(:envelope AS jsonb), attempts, last_error FROM parked
    ON CONFLICT (event_id) DO UPDATE
       SET attempts = EXCLUDED.attempts, error = EXCLUDED.error, parked_at = now(),
           resolved_at = NULL, resolution = NULL, reason = NULL
""")


@dataclass(frozen=True, slots=True)
class _SingleEvent:
    """An event to apply in its own transaction. ``attempts`` is None if this attempt is not counted yet."""

    envelope: Envelope
    attempts: int | None
    failed_before: bool


class Inbox:
    """The inbox of one service."""

    def __init__(self, db: Database, handlers: Mapping[str, Handler], *, max_attempts: int) -> None:
        self._db = db
        self._handlers = handlers
        self._max_attempts = max_attempts
        #: Attempts to refund, by event, with the error that ended them.
        self._deferred_refunds: dict[UUID, str | None] = {}
        self._deferred_lock = threading.Lock()

    def receive(self, source: str, envelopes: Sequence[Envelope]) -> list[UUID]:
        """Apply the events, each exactly once; return the ids that ``source`` need not send again.

        Safe to call repeatedly and concurrently with the same events. Raises transient errors of the database.
        """
        self._refund_attempts()
        by_id = {envelope.event_id: envelope for envelope in envelopes}
        finished: list[UUID] = []
        batch: list[Envelope] = []
        singles: list[_SingleEvent] = []
        for event_id, is_new, already_finished, failed_before in self._register(source, list(by_id.values())):
            if already_finished:
                finished.append(event_id)
            elif is_new:
                batch.append(by_id[event_id])
            else:
                singles.append(_SingleEvent(by_id[event_id], None, failed_before))
        if batch:
            try:
                finished.extend(self._apply(batch))
            except Exception as error:  # noqa: BLE001  one failing event must not stop the others
                log.warning(log_events.EVENT_BATCH_FAILED, events=len(batch), error=repr(error))
                singles.extend(_SingleEvent(envelope, 1, failed_before=False) for envelope in batch)
        return finished + self._apply_one_by_one(singles)

    @retry_on_conflict
    def _register(self, source: str, envelopes: Sequence[Envelope]) -> list[tuple[UUID, bool, bool, bool]]:
        """Return for each event its id and whether it is new, is finished, and has failed before."""
        with self._db.autocommit() as tx:
            rows = tx.execute(
                _REGISTER,
                {
                    "source": source,
                    "event_ids": [e.event_id for e in envelopes],
                    "types": [e.type for e in envelopes],
                },
            )
            return [(row.event_id, row.is_new, row.finished, row.failed_before) for row in rows]

    @retry_on_conflict
    def _apply(self, envelopes: Sequence[Envelope]) -> list[UUID]:
        """Apply the events in one transaction; return the ids of those that are finished.

        Concurrent workers wait for its locks and then skip the events. An event whose row was purged meanwhile is
        neither applied nor finished: its next sending registers it again.
        """
        with self._db.transaction() as tx:
            known = list(tx.execute(_LOCK, {"event_ids": [envelope.event_id for envelope in envelopes]}))
            open_ids = {row.event_id for row in known if row.is_open}
            todo = sorted((e for e in envelopes if e.event_id in open_ids), key=lambda e: e.type)
            for event_type, group in groupby(todo, key=lambda e: e.type):
                events: list[Event] = [unpack(envelope) for envelope in group]
                self._handlers[event_type](tx, events)
            tx.execute(_MARK_PROCESSED, {"event_ids": list(open_ids)})
        return [row.event_id for row in known]

    def _apply_one_by_one(self, singles: Sequence[_SingleEvent]) -> list[UUID]:
        """Apply each event in its own transaction; return the ids of those that are finished.

        Events that failed before come last, so that those that wait for a lock do not delay the others.
        """
        until = monotonic() + ONE_BY_ONE_SECONDS
        waiting = sorted(singles, key=lambda single: single.failed_before, reverse=True)
        finished: list[UUID] = []
        while waiting and monotonic() < until:
            single = waiting.pop()
            try:
                if self._attempt(single):
                    finished.append(single.envelope.event_id)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning(log_events.INBOX_UNAVAILABLE, error=repr(error), remaining=len(waiting))
                break
        if waiting:
            self._defer_refund({single.envelope.event_id: None for single in waiting if single.attempts is not None})
            log.warning(log_events.EVENTS_DEFERRED, events=len(waiting))
        return finished

    def _attempt(self, single: _SingleEvent) -> bool:
        """Apply or park the event; return whether the publisher need not send it again."""
        envelope = single.envelope
        attempts = single.attempts or self._count_attempt(envelope.event_id)
        if attempts is None:
            # No attempts remain, or none is needed. Another worker may still be processing the event; it then decides
            # the outcome, and the event is sent again.
            return self._park(envelope, error=None) or self._is_finished(envelope.event_id)
        try:
            return bool(self._apply([envelope]))
        except Exception as error:  # noqa: BLE001  classified by _failed
            return self._failed(envelope, attempts, error)

    @retry_on_conflict
    def _count_attempt(self, event_id: UUID) -> int | None:
        """Count an attempt and return its number; None if no attempt may be made."""
        with self._db.autocommit() as tx:
            counted = tx.execute(_COUNT_ATTEMPT, {"event_id": event_id, "max_attempts": self._max_attempts})
            attempts: int | None = counted.scalar_one_or_none()
            return attempts

    def _is_finished(self, event_id: UUID) -> bool:
        with self._db.autocommit() as tx:
            return bool(tx.execute(_IS_FINISHED, {"event_id": event_id}).scalar_one())

    def _failed(self, envelope: Envelope, attempts: int, error: Exception) -> bool:
        """Record a failed attempt, or refund it after a transient error; return whether the event is parked."""
        event = {"event_id": str(envelope.event_id), "type": envelope.type, "attempts": attempts}
        state = transient_sqlstate(error)
        if state is not None:
            log.warning(log_events.EVENT_ATTEMPT_REFUNDED, **event, sqlstate=state, error=repr(error)[:500])
            self._defer_refund({envelope.event_id: repr(error)[:2000]})
            self._refund_attempts()
            return False
        log.error(log_events.EVENT_FAILED, **event, exc_info=error)
        if attempts >= self._max_attempts:
            return self._park(envelope, error=repr(error))
        with self._db.autocommit() as tx:
            tx.execute(_RECORD_ERROR, {"event_id": envelope.event_id, "error": repr(error)[:2000]})
        return False

    def _defer_refund(self, attempts: Mapping[UUID, str | None]) -> None:
        """Remember attempts to refund, each with the error that ended it, or None if it was not made."""
        with self._deferred_lock:
            room = MAX_DEFERRED_REFUNDS - len(self._deferred_refunds)
            self._deferred_refunds.update(list(attempts.items())[:room])

    def _refund_attempts(self) -> None:
        """Refund the deferred attempts. If that fails they stay deferred until the next batch of events."""
        with self._deferred_lock:
            refunds, self._deferred_refunds = self._deferred_refunds, {}
        if not refunds:
            return
        try:
            with self._db.autocommit() as tx:
                tx.execute(_REFUND_ATTEMPTS, {"event_ids": list(refunds), "errors": list(refunds.values())})
        except Exception:
            self._defer_refund(refunds)
            raise

    def _park(self, envelope: Envelope, *, error: str | None) -> bool:
        """Park an event for an operator; return False if it was parked or processed already."""
        with self._db.autocommit() as tx:
            parked = tx.execute(
                _PARK,
                {
                    "event_id": envelope.event_id,
                    "envelope": json.dumps(envelope.to_wire()),
                    "error": error[:2000] if error else None,
                    "dead_after": WORKER_DEAD_AFTER_SECONDS,
                },
            ).rowcount
        if parked:
            log.error(log_events.EVENT_PARKED, event_id=str(envelope.event_id), type=envelope.type)
        return bool(parked)


def purge_processed(tx: Connection, *, older_than_days: int, limit: int) -> int:
    """Delete up to ``limit`` rows of events processed more than ``older_than_days`` ago; return their number."""
    return tx.execute(_PURGE, {"days": older_than_days, "limit": limit}).rowcount


def purge_unprocessed(tx: Connection, *, older_than_days: int, limit: int) -> int:
    """Delete up to ``limit`` unprocessed rows without an attempt in the last ``older_than_days``; return their number.

    Rows of parked events, and of parked events that an operator has released, stay.
    """
    return tx.execute(_PURGE_UNPROCESSED, {"days": older_than_days, "limit": limit}).rowcount

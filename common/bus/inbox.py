"""Events arrive through the database: the id and the effect of an event in one transaction, many at a time.

Attempts are counted and committed *before* a handler runs, so that an event that kills its worker is
found out too. An event that fails is set apart from its batch, tried again when the outbox sends it
again, and parked in ``dead_letters`` after ``max_attempts``.

An attempt that ends with a failure of the moment (a held lock, a conflict, a lost connection) is given back: it says
nothing of the event, which is tried for as long as its publisher sends it. While the database is away that cannot be
written down; this process then remembers it, and a process that dies meanwhile has cost the event one attempt.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from common.contracts.envelope import Envelope
from common.contracts.events import Event, unpack
from common.core.logging import get_logger
from common.db.connection import Connection
from common.db.driver import prepared
from common.db.engine import Database
from common.db.errors import is_transient, retry_on_conflict, transient_sqlstate

log = get_logger(__name__)

#: Makes a list of events of one type true, in the transaction that it is given.
Handler = Callable[[Connection, Sequence[Any]], None]

#: How long events are tried one by one before the rest is left to be sent again: well below the time after which the
#: broker takes a worker for dead, even if the last of them waits for a lock.
ONE_BY_ONE_SECONDS: Final = 20.0
#: Who began an attempt so long ago, has not said how it ended, and does not hold the lock of the event any more, is
#: dead: the event has killed its worker.
WORKER_DEAD_AFTER_SECONDS: Final = 10.0
#: So many attempts are remembered to be given back while the database is away. A receive brings a few hundred.
MAX_DEFERRED_REFUNDS: Final = 10_000

# A new event begins with its first attempt, which is that of its batch. Of the others nothing is counted here:
# each is counted when its single comes, so that none pays for one before it that kills the worker.
_REGISTER = prepared("""
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

_IS_FINISHED = text("""
    SELECT processed_at IS NOT NULL OR parked_at IS NOT NULL FROM inbox WHERE event_id = :event_id
""")

_REFUND_ATTEMPTS = text("""
    UPDATE inbox i
       SET attempts = GREATEST(i.attempts - 1, 0), last_error = COALESCE(e.error, i.last_error)
      FROM (SELECT * FROM unnest(CAST(:event_ids AS uuid[]), CAST(:errors AS text[])) AS e (event_id, error)
             ORDER BY event_id) e
     WHERE i.event_id = e.event_id AND i.processed_at IS NULL AND i.parked_at IS NULL
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

# Without an error it is parked only if whoever began the last attempt must be dead.
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
    """An event that is to be tried by itself. ``attempts`` is None where this attempt is not counted yet."""

    envelope: Envelope
    attempts: int | None
    failed_before: bool


class Inbox:
    """The receiving side of one service."""

    def __init__(self, db: Database, handlers: Mapping[str, Handler], *, max_attempts: int) -> None:
        self._db = db
        self._handlers = handlers
        self._max_attempts = max_attempts
        #: Attempts that were counted and ought not to count, by event, with what ended them.
        self._deferred_refunds: dict[UUID, str | None] = {}
        self._deferred_lock = threading.Lock()

    def receive(self, source: str, envelopes: Sequence[Envelope]) -> list[UUID]:
        """Make the events true, each exactly once; returns the ids that ``source`` need not send again.

        Safe to run any number of times, and at the same time, with the same events.
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
                self._apply(batch)
                finished.extend(envelope.event_id for envelope in batch)
            except Exception as error:  # noqa: BLE001  whatever one event raised must not stop the others
                log.warning("event batch failed, trying one by one", events=len(batch), error=repr(error))
                singles.extend(_SingleEvent(envelope, 1, failed_before=False) for envelope in batch)
        return finished + self._apply_one_by_one(singles)

    @retry_on_conflict
    def _register(self, source: str, envelopes: Sequence[Envelope]) -> list[tuple[UUID, bool, bool, bool]]:
        """For each event: its id, whether it is new, whether it is finished, whether it has failed before."""
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

    def _apply_one_by_one(self, singles: Sequence[_SingleEvent]) -> list[UUID]:
        """Try each event in a transaction of its own; returns those that are finished.

        What has failed before comes last: events that wait for a lock, each for its time, do not hold back the rest.
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
                log.warning("inbox cannot be written", error=repr(error), left=len(waiting))
                break
        if waiting:
            self._defer_refund({single.envelope.event_id: None for single in waiting if single.attempts is not None})
            log.warning("events left to be sent again", events=len(waiting))
        return finished

    def _attempt(self, single: _SingleEvent) -> bool:
        """Returns True when the publisher need not send the event again: it is applied, or parked."""
        envelope = single.envelope
        attempts = single.attempts or self._count_attempt(envelope.event_id)
        if attempts is None:
            # No attempt is left, or none is needed. Others may be at their attempts at this very moment: then it is
            # for them to say how those end, and the event will be sent again.
            return self._park(envelope, error=None) or self._is_finished(envelope.event_id)
        try:
            self._apply([envelope])
        except Exception as error:  # noqa: BLE001  whatever it is, it is judged there
            return self._failed(envelope, attempts, error)
        return True

    @retry_on_conflict
    def _count_attempt(self, event_id: UUID) -> int | None:
        """The number of this attempt; None where there is to be none."""
        with self._db.autocommit() as tx:
            counted = tx.execute(_COUNT_ATTEMPT, {"event_id": event_id, "max_attempts": self._max_attempts})
            attempts: int | None = counted.scalar_one_or_none()
            return attempts

    def _is_finished(self, event_id: UUID) -> bool:
        with self._db.autocommit() as tx:
            return bool(tx.execute(_IS_FINISHED, {"event_id": event_id}).scalar_one())

    def _failed(self, envelope: Envelope, attempts: int, error: Exception) -> bool:
        """Returns True when the event is parked."""
        event = {"event_id": str(envelope.event_id), "type": envelope.type, "attempts": attempts}
        state = transient_sqlstate(error)
        if state is not None:
            log.warning("event held up", **event, sqlstate=state, error=repr(error)[:500])
            self._defer_refund({envelope.event_id: repr(error)[:2000]})
            self._refund_attempts()
            return False
        log.error("event failed", **event, exc_info=error)
        if attempts >= self._max_attempts:
            return self._park(envelope, error=repr(error))
        with self._db.autocommit() as tx:
            tx.execute(_RECORD_ERROR, {"event_id": envelope.event_id, "error": repr(error)[:2000]})
        return False

    def _defer_refund(self, attempts: Mapping[UUID, str | None]) -> None:
        """Remember attempts that are to be given back, with what ended them (None: they were not made)."""
        with self._deferred_lock:
            room = MAX_DEFERRED_REFUNDS - len(self._deferred_refunds)
            self._deferred_refunds.update(list(attempts.items())[:room])

    def _refund_attempts(self) -> None:
        """Refund the deferred attempts. On an error they stay deferred and are refunded before the next events."""
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
        """Set an event aside for an operator; returns whether this was done now."""
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
            log.error("event parked", event_id=str(envelope.event_id), type=envelope.type)
        return bool(parked)


def purge_processed(tx: Connection, *, older_than_days: int, limit: int) -> int:
    """Delete a batch of rows of events that were processed long ago; returns how many."""
    return tx.execute(_PURGE, {"days": older_than_days, "limit": limit}).rowcount

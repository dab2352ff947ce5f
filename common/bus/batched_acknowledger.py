"""Close outbox rows in batches, outside of the request that made their events unnecessary.

When a synchronous command had the effect of an event, the event's row can be closed. A commit per request would be too
expensive, so ids are collected and closed in batches. If the process exits first, the event is sent once in vain.
"""

import threading
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from common import log_events
from common.bus import outbox
from common.core.logging import get_logger
from common.db.engine import Database

log = get_logger(__name__)

FLUSH_SECONDS: Final = 0.25
MAX_WAITING: Final = 10_000


class BatchedAcknowledger:
    """Collects the ids of events whose effect one subscriber already has, and closes their rows in batches."""

    def __init__(self, db: Database, subscriber: str) -> None:
        self._db = db
        self._subscriber = subscriber
        self._lock = threading.Lock()
        self._waiting: list[UUID] = []
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def acknowledge(self, event_id: UUID) -> None:
        """Schedule the closing of the event's row. Does not wait for the database."""
        with self._lock:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(event_id)
            if self._thread is None or not self._thread.is_alive():
                # Started on first use, in the serving process: threads do not survive a fork.
                self._thread = threading.Thread(target=self._run, name="acknowledger", daemon=True)
                self._thread.start()
        self._wake.set()

    def flush(self) -> int:
        """Close the collected rows; return how many were still open."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        if not batch:
            return 0
        with self._db.autocommit() as tx:
            return outbox.close(tx, self._subscriber, batch)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._wake.wait()
            self._wake.clear()
            pause.wait(FLUSH_SECONDS)
            try:
                self.flush()
            except SQLAlchemyError as error:
                log.warning(log_events.ACKNOWLEDGEMENTS_NOT_WRITTEN, error=repr(error))

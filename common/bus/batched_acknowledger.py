"""Closing outbox rows off the hot path.

When a direct command has already brought about what an event would, the event's row can be closed. That
is worth no commit of its own on the way of a user's request: ids are gathered and closed in batches.
Whatever is lost here with the process is only sent once for nothing.
"""

import threading
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from common.bus import outbox
from common.core.logging import get_logger
from common.db.engine import Database

log = get_logger(__name__)

FLUSH_SECONDS: Final = 0.25
MAX_WAITING: Final = 10_000


class BatchedAcknowledger:
    """Gathers the ids of events that one subscriber has been told directly, and closes them in batches."""

    def __init__(self, db: Database, subscriber: str) -> None:
        self._db = db
        self._subscriber = subscriber
        self._lock = threading.Lock()
        self._waiting: list[UUID] = []
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def acknowledge(self, event_id: UUID) -> None:
        """Close the event's row soon. Never blocks on the database."""
        with self._lock:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(event_id)
            if self._thread is None or not self._thread.is_alive():
                # Started on first use, in the process that serves: a thread does not survive a fork.
                self._thread = threading.Thread(target=self._run, name="acknowledger", daemon=True)
                self._thread.start()
        self._wake.set()

    def flush(self) -> int:
        """Close everything that waits; returns how many rows were still open."""
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
                log.warning("acknowledgements not written, the relay will send again", error=repr(error))

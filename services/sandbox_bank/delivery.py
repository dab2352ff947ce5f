"""The bank's own sender of notifications: a thread in the web process, with all its work in the database.

Killed at any moment, it loses nothing: what is owed is a row, whose next turn is written before a message is sent.
Several processes may run it at once.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import urllib3
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from common.core.logging import get_logger
from services.sandbox_bank import log_events, repository, service
from services.sandbox_bank.context import Context
from services.sandbox_bank.models import Delivery

log = get_logger(__name__)

#: What becomes due without anybody waking the thread (repeats, other processes) is noticed after this.
LOOK_EVERY_SECONDS: Final = 0.25
PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0
BATCH: Final = 100
MAX_ANSWER_BYTES: Final = 2_000


class Deliverer:
    """Sends what is due, many at a time: a real bank tells AUTHORIZED and CONFIRMED at the same time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(
            maxsize=context.settings.sandbox_bank_deliveries_at_once,
            retries=False,
            timeout=urllib3.Timeout(connect=2.0, total=context.settings.sandbox_bank_notify_timeout_seconds),
        )

    def ensure_running(self) -> None:
        """Start the thread unless it runs; it then runs until the process ends, or :meth:`stop`."""
        with self._lock:
            if (self._thread is None or not self._thread.is_alive()) and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="deliverer", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread after what it is at."""
        self._stop.set()
        self._context.wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        at_once = self._context.settings.sandbox_bank_deliveries_at_once
        with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="delivery") as threads:
            while not self._stop.is_set():
                self._context.wake.clear()
                try:
                    service.expire_overdue(self._context, limit=BATCH)
                    sent = self.send_due(threads)
                except SQLAlchemyError as error:
                    log.warning(log_events.DELIVERER_PAUSED, error=type(error).__name__)
                    self._stop.wait(PAUSE_AFTER_FAILURE_SECONDS)
                    continue
                if sent < BATCH:
                    self._context.wake.wait(LOOK_EVERY_SECONDS)

    def send_due(self, threads: ThreadPoolExecutor) -> int:
        """Send one batch; returns how many messages it had."""
        with self._context.db.autocommit() as tx:
            due = repository.take_due(
                tx,
                now=self._context.clock.now(),
                limit=BATCH,
                repeat_seconds=self._context.settings.sandbox_bank_repeat_seconds,
            )
        for delivery, answer, delivered in threads.map(self._send, due):
            with self._context.db.autocommit() as tx:
                repository.save_answer(tx, delivery, answer, delivered=delivered)
            log.info(
                log_events.NOTIFICATION_SENT,
                delivery_id=delivery.delivery_id,
                label=delivery.message.label,
                attempts=delivery.attempts,
                delivered=delivered,
                answer=answer[:80],
            )
        return len(due)

    def _send(self, delivery: Delivery) -> tuple[Delivery, str, bool]:
        message = delivery.message
        try:
            response = self._pool.request(
                message.method,
                message.url,
                body=message.body or None,
                headers={"Content-Type": message.content_type, "User-Agent": "FastCheck sandbox bank"},
                redirect=False,
                preload_content=False,
            )
            text = response.read(MAX_ANSWER_BYTES).decode("utf-8", errors="replace")
            response.drain_conn()
            response.release_conn()
        except HTTPError as error:
            return delivery, f"no answer: {type(error).__name__}", False
        delivered = response.status == 200 and message.wants in (None, text)
        return delivery, f"{response.status} {text}", delivered

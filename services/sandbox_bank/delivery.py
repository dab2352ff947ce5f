"""Delivery of notifications: a thread in the web process whose queue is a table.

The next attempt is scheduled in the database before a message is sent, so that a crash loses no notification. Several
processes can deliver at the same time.
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

CONCURRENT_DELIVERIES: Final = 8
DELIVERY_TIMEOUT_SECONDS: Final = 10.0
#: Interval for finding notifications that become due without a wake-up: repeats, and those of other processes.
POLL_SECONDS: Final = 0.25
PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0
BATCH: Final = 100
MAX_ANSWER_BYTES: Final = 2_000


class Deliverer:
    """Sends due notifications in parallel, as a real bank sends AUTHORIZED and CONFIRMED at the same time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(
            maxsize=CONCURRENT_DELIVERIES,
            retries=False,
            timeout=urllib3.Timeout(connect=2.0, total=DELIVERY_TIMEOUT_SECONDS),
            ca_certs=str(bundle) if (bundle := context.settings.sandbox_bank_ca_bundle) else None,
        )

    def ensure_running(self) -> None:
        """Start the thread unless it runs. It runs until the process ends or :meth:`stop` is called."""
        with self._lock:
            if (self._thread is None or not self._thread.is_alive()) and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="deliverer", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop the thread after its current batch."""
        self._stop.set()
        self._context.wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        at_once = CONCURRENT_DELIVERIES
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
                    self._context.wake.wait(POLL_SECONDS)

    def send_due(self, threads: ThreadPoolExecutor) -> int:
        """Send one batch of due messages; return their number."""
        with self._context.db.autocommit() as tx:
            due = repository.claim_due(
                tx,
                now=self._context.clock.now(),
                limit=BATCH,
                repeat_seconds=self._context.settings.sandbox_bank_repeat_seconds,
            )
        for delivery, answer, delivered in threads.map(self._send, due):
            with self._context.db.autocommit() as tx:
                repository.save_response(tx, delivery, answer, delivered=delivered)
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
            return delivery, f"no response: {type(error).__name__}", False
        delivered = response.status == 200 and message.wants in (None, text)
        return delivery, f"{response.status} {text}", delivered

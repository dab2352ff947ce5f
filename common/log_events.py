"""The names of the log events that the shared library writes."""

from typing import Final

# HTTP server
REQUEST: Final = "request"
READINESS_CHECK_FAILED: Final = "readiness_check_failed"
UNEXPECTED_ERROR: Final = "unexpected_error"
CONNECTION_POOL_EXHAUSTED: Final = "connection_pool_exhausted"
DATABASE_UNAVAILABLE: Final = "database_unavailable"

# Bus
ACKNOWLEDGEMENT_NOT_SENT: Final = "acknowledgement_not_sent"
ACKNOWLEDGEMENTS_NOT_WRITTEN: Final = "acknowledgements_not_written"
EVENT_ATTEMPT_REFUNDED: Final = "event_attempt_refunded"
EVENT_BATCH_FAILED: Final = "event_batch_failed"
EVENT_FAILED: Final = "event_failed"
EVENT_PARKED: Final = "event_parked"
EVENTS_ACKNOWLEDGED: Final = "events_acknowledged"
EVENTS_CONSUMED: Final = "events_consumed"
EVENTS_DEFERRED: Final = "events_deferred"
EVENTS_SENT: Final = "events_sent"
INBOX_UNAVAILABLE: Final = "inbox_unavailable"
RELAY_PAUSED: Final = "relay_paused"
RELAY_STARTED: Final = "relay_started"
RELAY_STOPPED: Final = "relay_stopped"
SUBSCRIBER_QUEUE_FULL: Final = "subscriber_queue_full"

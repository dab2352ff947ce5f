"""The names of the log events that the shared library writes."""

from typing import Final

# Operator port
#: The operator port is taken or the address is not local; the process tries again every second.
OPERATOR_PORT_UNAVAILABLE: Final = "operator_port_unavailable"

# HTTP server
#: A request was processed.
REQUEST: Final = "request"
#: A dependency of the process did not respond to `/readyz`.
READINESS_CHECK_FAILED: Final = "readiness_check_failed"
#: A request failed with an unexpected exception and got `500`.
UNEXPECTED_ERROR: Final = "unexpected_error"
#: A request waited too long for a database connection and got `503`.
CONNECTION_POOL_EXHAUSTED: Final = "connection_pool_exhausted"
#: A request failed with a transient database error and got `503`.
DATABASE_UNAVAILABLE: Final = "database_unavailable"

# Bus
#: The broker was unavailable for an acknowledgement. The publisher sends the events again.
ACKNOWLEDGEMENT_NOT_SENT: Final = "acknowledgement_not_sent"
#: Closed outbox rows could not be written. The relay sends the events again.
ACKNOWLEDGEMENTS_NOT_WRITTEN: Final = "acknowledgements_not_written"
#: An event failed with a transient error, which does not count as an attempt.
EVENT_ATTEMPT_REFUNDED: Final = "event_attempt_refunded"
#: A batch of events failed; each event is now applied in its own transaction.
EVENT_BATCH_FAILED: Final = "event_batch_failed"
#: An event failed. It is retried until its attempts are used up.
EVENT_FAILED: Final = "event_failed"
#: An event used up its attempts. An operator must replay or discard it.
EVENT_PARKED: Final = "event_parked"
#: A subscriber acknowledged events; their outbox rows are closed.
EVENTS_ACKNOWLEDGED: Final = "events_acknowledged"
#: A message with events was processed.
EVENTS_CONSUMED: Final = "events_consumed"
#: A message took too long; its remaining events are applied when they are sent again.
EVENTS_DEFERRED: Final = "events_deferred"
#: The relay sent events to a subscriber.
EVENTS_SENT: Final = "events_sent"
#: The database of the inbox was unavailable; the remaining events are applied when they are sent again.
INBOX_UNAVAILABLE: Final = "inbox_unavailable"
#: A message on the bus had no effect: its signature is missing or wrong, or its sender may not send it. `reason` says
#: which. During an upgrade from a version that does not sign, `unsigned` is normal: the events are sent again.
MESSAGE_REJECTED: Final = "message_rejected"
#: The broker or the database was unavailable; the relay retries.
RELAY_PAUSED: Final = "relay_paused"
#: The relay started.
RELAY_STARTED: Final = "relay_started"
#: The relay stopped.
RELAY_STOPPED: Final = "relay_stopped"
#: A subscriber's queue is full; the relay waits.
SUBSCRIBER_QUEUE_FULL: Final = "subscriber_queue_full"

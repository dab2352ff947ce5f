"""The names of the log events of the sandbox bank."""

from typing import Final

#: The database was unavailable; the delivery of notifications retries.
DELIVERER_PAUSED: Final = "deliverer_paused"
#: A notification was sent; `status` is the receiver's response.
NOTIFICATION_SENT: Final = "notification_sent"

"""Names of the log events of the sandbox bank."""

from typing import Final

DELIVERER_PAUSED: Final = "deliverer_paused"
NOTIFICATION_SENT: Final = "notification_sent"

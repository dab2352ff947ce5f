"""The names of the log events of webhooks."""

from typing import Final

#: A receiver confirmed a delivery.
WEBHOOK_DELIVERED: Final = "webhook_delivered"
#: An attempt failed; the delivery is repeated later, or is failed for good.
WEBHOOK_ATTEMPT_FAILED: Final = "webhook_attempt_failed"
#: A receiver has failed for three days, or asked for no more events. Its webhook gets none until a replay succeeds.
WEBHOOK_DISABLED: Final = "webhook_disabled"
#: A replay to a disabled webhook succeeded; it gets events again.
WEBHOOK_ENABLED: Final = "webhook_enabled"
#: Old deliveries and ids of processed events were deleted.
WEBHOOK_RECORDS_PURGED: Final = "webhook_records_purged"

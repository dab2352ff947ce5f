"""The names of the log events of payments."""

from typing import Final

#: A payment attempt was voided, because its payment page is unknown.
ATTEMPT_VOIDED: Final = "attempt_voided"
#: A call to a bank ended, with its outcome and duration.
BANK_CALLED: Final = "bank_called"
#: The bank does not know the payment of a top-up.
BANK_PAYMENT_UNKNOWN: Final = "bank_payment_unknown"
#: A notification or a status report was evaluated; `verdict` is the result.
NOTIFICATION_PROCESSED: Final = "notification_processed"
#: A notification was not authentic.
NOTIFICATION_REJECTED: Final = "notification_rejected"
#: The bank could not be polled to confirm a notification without a signature.
NOTIFICATION_UNCONFIRMED: Final = "notification_unconfirmed"
#: Records whose retention has ended were deleted.
RECORDS_PURGED: Final = "records_purged"
#: A run of the schedule retried refunds.
REFUNDS_PURSUED: Final = "refunds_pursued"
#: A refund reached a new status.
REFUND_ADVANCED: Final = "refund_advanced"
#: Balance rejected a step of a refund as contradicting its ledger. An operator must investigate.
REFUND_CONTRADICTS_BALANCE: Final = "refund_contradicts_balance"
#: The outcome of a refund step is unknown; the schedule retries.
REFUND_DEFERRED: Final = "refund_deferred"
#: The bank does not tell whether it made a refund. An operator must decide.
REFUND_NEEDS_OPERATOR: Final = "refund_needs_operator"
#: The bank could not be polled when the browser returned; the schedule polls later.
RETURN_POLL_FAILED: Final = "return_poll_failed"
#: A run of the schedule polled top-ups.
TOPUPS_POLLED: Final = "topups_polled"
#: The bank of an unfinished top-up is not enabled.
TOPUP_BANK_DISABLED: Final = "topup_bank_disabled"
#: A top-up expired, or the bank ended its payment.
TOPUP_EXPIRED: Final = "topup_expired"
#: The bank was unavailable while a payment page was opened. A repeat with the same key continues.
TOPUP_OPENING_FAILED: Final = "topup_opening_failed"
#: The bank could not be polled for a top-up; the schedule polls later.
TOPUP_POLL_FAILED: Final = "topup_poll_failed"
#: The bank rejected the payment of a top-up.
TOPUP_REJECTED: Final = "topup_rejected"

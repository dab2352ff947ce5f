"""The names of the log events of checks."""

from typing import Final

#: A check was frozen after too many wrong codes in a row.
CHECK_FROZEN: Final = "check_frozen"
#: Checks whose lifetime has ended were expired.
CHECKS_EXPIRED: Final = "checks_expired"
#: The creation of a check ended without a response from balance; the schedule or a repeat decides it.
HOLD_DEFERRED: Final = "hold_deferred"
#: The scheduled decision about pending checks stopped because balance gave no response.
PENDING_CHECKS_DEFERRED: Final = "pending_checks_deferred"
#: A pending check became active or rejected.
PENDING_CHECK_DECIDED: Final = "pending_check_decided"
#: Checks have been pending for longer than a minute. An operator must investigate.
CHECKS_PENDING_TOO_LONG: Final = "checks_pending_too_long"
#: Balance gave a response to a hold that checks does not understand. An operator must investigate.
HOLD_RESPONSE_UNEXPECTED: Final = "hold_response_unexpected"
#: Balance gave no response to a settlement or release; the committed event delivers it.
SETTLEMENT_DEFERRED: Final = "settlement_deferred"
#: Balance rejected a settlement or release as contradicting its ledger. An operator must investigate.
SETTLEMENT_REJECTED: Final = "settlement_rejected"
#: Balance did not execute the commands of a group; each is given by itself.
BATCH_REJECTED: Final = "batch_rejected"
#: Codes of active checks were re-encrypted with the newest key.
CODES_RENEWED: Final = "codes_renewed"
#: Codes of active checks cannot be decrypted: their key was removed too early.
CODES_UNREADABLE: Final = "codes_unreadable"
#: Records whose retention period has ended were deleted.
RECORDS_PURGED: Final = "records_purged"

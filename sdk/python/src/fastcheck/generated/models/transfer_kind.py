from enum import StrEnum

class TransferKind(StrEnum):
    CHECK_ACCEPTED = "check_accepted"
    CHECK_CANCELLED = "check_cancelled"
    CHECK_CREATED = "check_created"
    CHECK_EXPIRED = "check_expired"
    TOPUP = "topup"
    TOPUP_REFUNDED = "topup_refunded"

    def __str__(self) -> str:
        return str(self.value)

from enum import StrEnum

class TopUpViewStatus(StrEnum):
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    FAILED = "failed"
    PENDING = "pending"
    REFUNDED = "refunded"

    def __str__(self) -> str:
        return str(self.value)

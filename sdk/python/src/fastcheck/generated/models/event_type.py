from enum import StrEnum

class EventType(StrEnum):
    CHECK_ACCEPTED = "check.accepted"
    CHECK_CANCELLED = "check.cancelled"
    CHECK_CREATED = "check.created"
    CHECK_EXPIRED = "check.expired"
    TOPUP_CONFIRMED = "topup.confirmed"

    def __str__(self) -> str:
        return str(self.value)

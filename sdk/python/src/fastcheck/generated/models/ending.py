from enum import StrEnum

class Ending(StrEnum):
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    USED = "used"

    def __str__(self) -> str:
        return str(self.value)

from enum import StrEnum

class HistoryType(StrEnum):
    ACCEPTED = "accepted"
    CREATED = "created"

    def __str__(self) -> str:
        return str(self.value)

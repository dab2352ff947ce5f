"""What the runtime role of the sandbox bank may do in its database."""

from typing import Final

from common.db.rights import DatabaseRights, TableRights

RIGHTS: Final = DatabaseRights(
    {
        "payments": TableRights(insert=True, update=("state", "refunded_minor", "faults")),
        "refunds": TableRights(insert=True),
        "deliveries": TableRights(insert=True, update=("attempts", "due_at", "delivered_at", "last_answer")),
        "struck": TableRights(insert=True),
        "assigned_faults": TableRights(insert=True),
        "fault_plan": TableRights(insert=True, update=("plan", "used"), delete=True),
    },
    # The number of a payment is part of the row that is inserted with it.
    sequences={"payments_payment_no_seq": "USAGE"},
)

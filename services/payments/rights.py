"""What the runtime role of payments may do in its database. Amounts stay as they were inserted."""

from typing import Final

from common.bus.schema import FOLLOWED_USERS_RIGHTS, OPERATOR_ACTIONS_RIGHTS, OUTBOX_RIGHTS
from common.db import idempotency
from common.db.rights import DatabaseRights, TableRights

RIGHTS: Final = DatabaseRights(
    {
        "topups": TableRights(
            insert=True,
            update=("status", "confirmed_at", "refunded_minor", "busy_until", "next_poll_at", "polls"),
        ),
        "attempts": TableRights(insert=True, update=("state", "bank_payment_id", "payment_url", "note", "closed_at")),
        "notifications": TableRights(
            insert=True, update=("times", "last_received_at", "topup_id", "verdict"), delete=True
        ),
        "refunds": TableRights(
            insert=True, update=("status", "note", "unknown", "tries", "next_try_at", "finished_at")
        ),
        "idempotency_keys": idempotency.RIGHTS,
        "outbox": OUTBOX_RIGHTS,
        "followed_users": FOLLOWED_USERS_RIGHTS,
        "operator_actions": OPERATOR_ACTIONS_RIGHTS,
    }
)

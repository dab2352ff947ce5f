"""What the runtime role of checks may do in its database. The particulars of a check stay as they were inserted."""

from typing import Final

from common.bus.schema import FOLLOWED_USERS_RIGHTS, OPERATOR_ACTIONS_RIGHTS, OUTBOX_RIGHTS
from common.db import idempotency
from common.db.rights import DatabaseRights, TableRights

RIGHTS: Final = DatabaseRights(
    {
        "checks": TableRights(
            insert=True,
            update=(
                "status",
                "acceptor_id",
                "closes_at",
                "next_try_at",
                "tries",
                "code_ciphertext",
                "failed_attempts",
                "freezes",
                "wrong_codes",
                "frozen_until",
            ),
        ),
        # No statement changes an attempt: the purge locks its rows. This column cannot get another value.
        "failed_attempts": TableRights(insert=True, update=("attempt_id",), delete=True),
        "idempotency_keys": idempotency.RIGHTS,
        "outbox": OUTBOX_RIGHTS,
        "followed_users": FOLLOWED_USERS_RIGHTS,
        "operator_actions": OPERATOR_ACTIONS_RIGHTS,
    }
)

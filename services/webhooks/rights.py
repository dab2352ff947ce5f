"""What the runtime role of webhooks may do in its database. The payload of a message stays as it was inserted."""

from typing import Final

from common.bus.schema import DEAD_LETTERS_RIGHTS, INBOX_RIGHTS, OPERATOR_ACTIONS_RIGHTS
from common.db.rights import DatabaseRights, TableRights

RIGHTS: Final = DatabaseRights(
    {
        "webhooks": TableRights(
            insert=True,
            update=(
                "status",
                "secret_ciphertext",
                "previous_secret_ciphertext",
                "previous_secret_until",
                "disabled_at",
                "notice",
                "failures",
                "paused_until",
                "last_delivered_at",
            ),
            delete=True,
        ),
        # No statement changes a message: the purge locks its rows. This column cannot get another value.
        "messages": TableRights(insert=True, update=("message_id",), delete=True),
        "deliveries": TableRights(
            insert=True,
            update=(
                "status",
                "is_replay",
                "attempts",
                "round_attempts",
                "first_attempt_at",
                "last_attempt_at",
                "next_attempt_at",
                "leased_until",
                "delivered_at",
                "response_status",
                "error",
            ),
            delete=True,
        ),
        "inbox": INBOX_RIGHTS,
        "dead_letters": DEAD_LETTERS_RIGHTS,
        "operator_actions": OPERATOR_ACTIONS_RIGHTS,
    }
)

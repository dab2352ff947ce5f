"""What the runtime role of accounts may do in its database."""

from typing import Final

from common.db.rights import DatabaseRights, TableRights

RIGHTS: Final = DatabaseRights(
    {
        "users": TableRights(insert=True, update=("password_hash",)),
        "sessions": TableRights(insert=True, update=("last_used_at",), delete=True),
        "failed_logins": TableRights(insert=True, update=("forgiven_at",), delete=True),
    }
)

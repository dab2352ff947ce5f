"""The trail of what operators do: written in the transaction of the deed, so that neither is without the other."""

import json
from collections.abc import Mapping

from sqlalchemy import text

from common.db.connection import Connection

# Number, time and hashes are the database's to give.
_RECORD = text("""
    INSERT INTO operator_actions (operator, action, subject, reason, details)
    VALUES (:operator, :action, :subject, :reason, CAST(:details AS jsonb))
    RETURNING action_no
""")


def record(
    tx: Connection, *, operator: str, action: str, subject: str, reason: str, details: Mapping[str, object]
) -> int:
    """Write down who did what to what, and why; returns the number of the action."""
    action_no: int = tx.execute(
        _RECORD,
        {
            "operator": operator,
            "action": action,
            "subject": subject,
            "reason": reason,
            "details": json.dumps(details, default=str),
        },
    ).scalar_one()
    return action_no

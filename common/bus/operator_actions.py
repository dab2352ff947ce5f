"""The audit trail of operators: each action is recorded in the transaction of its effect."""

import json
from collections.abc import Mapping

from sqlalchemy import Connection, text

# A trigger of the table sets number, time and hashes.
_RECORD = text("""
    INSERT INTO operator_actions (operator, action, subject, reason, details)
    VALUES (:operator, :action, :subject, :reason, CAST(:details AS jsonb))
    RETURNING action_no
""")


def record(
    tx: Connection, *, operator: str, action: str, subject: str, reason: str, details: Mapping[str, object]
) -> int:
    """Record an operator's action on a subject with its reason; return the number of the action."""
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

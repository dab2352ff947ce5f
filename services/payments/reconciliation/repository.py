"""SQL of reconciliation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from services.payments.models import AttemptState, TopUpStatus
from services.payments.reconciliation.models import OurPayment

_COLUMNS: Final = """t.topup_id, a.bank_order_id, a.bank_payment_id, a.state AS attempt_state, t.status, t.amount_minor,
    t.refunded_minor, t.currency, t.created_at, t.expires_at"""

_BETWEEN = text(f"""
    SELECT {_COLUMNS} FROM attempts a JOIN topups t USING (topup_id)
     WHERE a.bank = :bank AND t.bank = :bank AND t.created_at >= :since AND t.created_at < :until
     ORDER BY t.created_at, a.attempt_no
""")  # noqa: S608  the columns are ours

_ANY_TIME = text(f"""
    SELECT {_COLUMNS} FROM attempts a JOIN topups t USING (topup_id)
     WHERE a.bank = :bank
       AND (a.bank_payment_id = ANY(CAST(:bank_payment_ids AS text[]))
            OR a.bank_order_id = ANY(CAST(:bank_order_ids AS text[])))
""")  # noqa: S608


def payments_between(tx: Connection, bank: str, since: datetime, until: datetime) -> list[OurPayment]:
    """Return all attempts of a bank's top-ups that were created from ``since`` until before ``until``."""
    rows = tx.execute(_BETWEEN, {"bank": bank, "since": since, "until": until}).mappings()
    return [_ours(row) for row in rows]


def payments_of_any_time(
    tx: Connection, bank: str, bank_payment_ids: Sequence[str], bank_order_ids: Sequence[str]
) -> list[OurPayment]:
    """Return the attempts with one of these payment ids or order numbers, of any date."""
    rows = tx.execute(
        _ANY_TIME,
        {"bank": bank, "bank_payment_ids": list(bank_payment_ids), "bank_order_ids": list(bank_order_ids)},
    ).mappings()
    return [_ours(row) for row in rows]


def _ours(row: RowMapping) -> OurPayment:
    return OurPayment(
        **{
            **row,
            "attempt_state": AttemptState(row["attempt_state"]),
            "status": TopUpStatus(row["status"]),
        }
    )

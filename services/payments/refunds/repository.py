"""SQL of refunds."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from common.core.ids import derived_id
from services.payments.models import TopUp
from services.payments.refunds.models import FINISHED, NewRefund, Refund, RefundStatus

_COLUMNS: Final = (
    "refund_id, topup_id, bank_order_id, was_credited, amount_minor, status, operator, reason, note,"
    " unknown AS unknown_outcomes, tries AS attempts, created_at, finished_at"
)

_INSERT = text("""
    INSERT INTO refunds (refund_id, topup_id, bank_order_id, was_credited, amount_minor, status, operator, reason,
                         next_try_at, created_at)
    VALUES (:refund_id, :topup_id, :bank_order_id, :was_credited, :amount_minor, :status, :operator, :reason,
            :now, :now)
    ON CONFLICT DO NOTHING
""")
_FIND = text(f"SELECT {_COLUMNS} FROM refunds WHERE refund_id = :refund_id")  # noqa: S608  the columns are ours
_LOCK = text(f"SELECT {_COLUMNS} FROM refunds WHERE refund_id = :refund_id FOR UPDATE")  # noqa: S608
_OF_TOPUP = text(f"SELECT {_COLUMNS} FROM refunds WHERE topup_id = :topup_id ORDER BY created_at")  # noqa: S608
_DUE = text("SELECT refund_id FROM refunds WHERE next_try_at <= :now ORDER BY next_try_at LIMIT :limit")
_CLAIM_LEASE = text(f"""
    UPDATE refunds SET next_try_at = :until, tries = tries + 1
     WHERE refund_id = :refund_id AND next_try_at <= :now
    RETURNING {_COLUMNS}
""")  # noqa: S608
_SAVE = text("""
    UPDATE refunds
       SET status = :status, note = COALESCE(:note, note), next_try_at = :next_try_at, finished_at = :finished_at
     WHERE refund_id = :refund_id
""")
_POSTPONE = text("""
    UPDATE refunds
       SET next_try_at = :next_try_at, note = :note, unknown = unknown + :unknown
     WHERE refund_id = :refund_id AND finished_at IS NULL
""")


def insert(tx: Connection, new_refund: NewRefund, amount_minor: int, bank_order_id: str, *, now: datetime) -> None:
    """Insert a refund that is due at once."""
    tx.execute(
        _INSERT,
        {
            "refund_id": new_refund.refund_id,
            "topup_id": new_refund.topup_id,
            "bank_order_id": bank_order_id,
            "was_credited": True,
            "amount_minor": amount_minor,
            "status": RefundStatus.REQUESTED.value,
            "operator": new_refund.operator,
            "reason": new_refund.reason,
            "now": now,
        },
    )


def insert_surplus(tx: Connection, topup: TopUp, bank_order_id: str, *, reason: str, now: datetime) -> None:
    """Insert the refund of a payment that is not credited. It goes to the card without a debit of the balance."""
    tx.execute(
        _INSERT,
        {
            "refund_id": derived_id("surplus", topup.topup_id, bank_order_id),
            "topup_id": topup.topup_id,
            "bank_order_id": bank_order_id,
            "was_credited": False,
            "amount_minor": topup.amount_minor,
            "status": RefundStatus.DEBITED.value,
            "operator": "fastcheck",
            "reason": reason,
            "now": now,
        },
    )


def find(tx: Connection, refund_id: UUID) -> Refund | None:
    return _one(tx.execute(_FIND, {"refund_id": refund_id}).mappings().one_or_none())


def lock(tx: Connection, refund_id: UUID) -> Refund | None:
    return _one(tx.execute(_LOCK, {"refund_id": refund_id}).mappings().one_or_none())


def of_topup(tx: Connection, topup_id: UUID) -> list[Refund]:
    """Return the refunds of a top-up, oldest first."""
    return [_refund(row) for row in tx.execute(_OF_TOPUP, {"topup_id": topup_id}).mappings()]


def due(tx: Connection, *, now: datetime, limit: int) -> list[UUID]:
    """Return the ids of due refunds."""
    return [row.refund_id for row in tx.execute(_DUE, {"now": now, "limit": limit})]


def claim_lease(tx: Connection, refund_id: UUID, *, now: datetime, until: datetime) -> Refund | None:
    """Claim a due refund until ``until``; return None if it is claimed by another worker or finished."""
    found = tx.execute(_CLAIM_LEASE, {"refund_id": refund_id, "now": now, "until": until})
    return _one(found.mappings().one_or_none())


def save(tx: Connection, refund: Refund, status: RefundStatus, *, now: datetime, note: str | None = None) -> None:
    """Change the status of a refund. An unfinished refund is due at once. Raises IllegalTransition."""
    finished = status in FINISHED
    tx.execute(
        _SAVE,
        {
            "refund_id": refund.refund_id,
            "status": refund.must_become(status).value,
            "note": note,
            "next_try_at": None if finished else now,
            "finished_at": now if finished else None,
        },
    )


def postpone(tx: Connection, refund: Refund, *, next_try_at: datetime, note: str, outcome_is_unknown: bool) -> None:
    """Defer a refund whose outcome is open until ``next_try_at``."""
    tx.execute(
        _POSTPONE,
        {
            "refund_id": refund.refund_id,
            "next_try_at": next_try_at,
            "note": note[:500],
            "unknown": int(outcome_is_unknown),
        },
    )


def _one(row: RowMapping | None) -> Refund | None:
    return _refund(row) if row else None


def _refund(row: RowMapping) -> Refund:
    return Refund(**{**row, "status": RefundStatus(row["status"])})

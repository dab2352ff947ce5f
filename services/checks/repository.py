"""The SQL that all capabilities share: the columns of a check, and reading one by its id or its number."""

# ruff: noqa: S608  (statements are put together from constants of this module, never from values)

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from services.checks.models import Check, CheckStatus

COLUMNS: Final = """
    check_id, number, creator_id, acceptor_id, amount_minor, currency, note, code_ciphertext, status, created_at,
    expires_at, closes_at, failed_attempts, wrong_codes, freezes, frozen_until, tries, next_try_at
"""

_FIND = text(f"SELECT {COLUMNS} FROM checks WHERE check_id = :check_id")

# A check without held money is unknown, to its creator too.
_FIND_OWN = f"""
    SELECT {COLUMNS} FROM checks
     WHERE number = :number AND creator_id = :creator_id AND status NOT IN ('pending', 'rejected')
"""
_SEE_OWN = text(_FIND_OWN)
_LOCK_OWN = text(_FIND_OWN + " FOR UPDATE")


def find(tx: Connection, check_id: UUID) -> Check:
    """Return the check with this id, which must exist."""
    return check_of(tx.execute(_FIND, {"check_id": check_id}).mappings().one())


def find_own(tx: Connection, number: str, creator_id: UUID, *, lock: bool) -> Check | None:
    """Return the creator's check with this number, or None; ``lock`` keeps it locked until the transaction ends."""
    statement = _LOCK_OWN if lock else _SEE_OWN
    row = tx.execute(statement, {"number": number, "creator_id": creator_id}).mappings().one_or_none()
    return check_of(row) if row else None


def check_of(row: RowMapping | dict[str, Any]) -> Check:
    """Return the check of a row that has all of COLUMNS."""
    values: dict[str, Any] = {name: row[name] for name in Check.__slots__}
    values["status"] = CheckStatus(values["status"])
    values["code_ciphertext"] = bytes(values["code_ciphertext"])
    return Check(**values)

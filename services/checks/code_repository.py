"""Every SQL statement about the keys under which codes are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from common.db.connection import Connection
from services.checks.codes import KEY_NAME_BYTES

#: A place in the order in which checks end.
Place = tuple[datetime, UUID]

_UNDER_OLD_KEY: Final = f"substring(code_ciphertext FROM 1 FOR {KEY_NAME_BYTES}) <> :newest"

# In the order of ``checks_due``. Whoever holds the lock of a check is about to end it or to give it a new code.
_LOCK_UNDER_OLD_KEY = text(f"""
    SELECT check_id, closes_at, code_ciphertext FROM checks
     WHERE status = 'active' AND closes_at > :now AND (closes_at, check_id) > (:closes_at, :check_id)
       AND {_UNDER_OLD_KEY}
     ORDER BY closes_at, check_id
     LIMIT :limit
       FOR UPDATE SKIP LOCKED
""")  # noqa: S608

_SAVE_RENEWED = text("""
    UPDATE checks c SET code_ciphertext = e.code_ciphertext
      FROM unnest(CAST(:check_ids AS uuid[]), CAST(:ciphertexts AS bytea[])) AS e (check_id, code_ciphertext)
     WHERE c.check_id = e.check_id
""")

_COUNT_UNDER_OLD_KEY = text(f"""
    SELECT count(*) FROM checks
     WHERE status = 'active' AND closes_at > :now AND {_UNDER_OLD_KEY}
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class SealedCode:
    """The code of an active check as it is kept."""

    check_id: UUID
    closes_at: datetime
    ciphertext: bytes

    @property
    def place(self) -> Place:
        return self.closes_at, self.check_id


def lock_under_old_key(tx: Connection, newest: bytes, *, now: datetime, after: Place, limit: int) -> list[SealedCode]:
    """Codes of active checks that the newest key has not encrypted, without those that somebody else has locked."""
    rows = tx.execute(
        _LOCK_UNDER_OLD_KEY,
        {"newest": newest, "now": now, "closes_at": after[0], "check_id": after[1], "limit": limit},
    )
    return [SealedCode(row.check_id, row.closes_at, bytes(row.code_ciphertext)) for row in rows]


def save_renewed(tx: Connection, ciphertexts: Mapping[UUID, bytes]) -> None:
    """Keep these codes, locked by the caller, under another key."""
    tx.execute(_SAVE_RENEWED, {"check_ids": list(ciphertexts), "ciphertexts": list(ciphertexts.values())})


def count_under_old_key(tx: Connection, newest: bytes, *, now: datetime) -> int:
    """How many active checks need a key that is not the newest."""
    return int(tx.execute(_COUNT_UNDER_OLD_KEY, {"newest": newest, "now": now}).scalar_one())

"""Every SQL statement of the hash chain."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

#: The advisory lock that serializes sealing.
CHAIN_LOCK_ID = 7_205_119

#: The previous hash of the first block.
GENESIS = bytes(32)

_DRAWN = text("""
    SELECT clock_timestamp() AS at, CASE WHEN is_called THEN last_value ELSE 0 END AS number
      FROM transfers_transfer_no_seq
""")

# An insert into transfers holds this lock from before it draws its number until its commit is visible.
_WRITERS = text("""
    SELECT virtualtransaction FROM pg_locks
     WHERE locktype = 'relation' AND relation = CAST('transfers' AS regclass) AND mode = 'RowExclusiveLock'
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND pid <> pg_backend_pid()
""")

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock_id)")

_LAST_BLOCK = text("SELECT block_no, last_no, hash FROM chain_blocks ORDER BY block_no DESC LIMIT 1")

# Numbers and times are in PostgreSQL's binary form and texts follow their length: no two rows give the same bytes, and
# no session setting changes them. The auditor implements the same encoding; a test compares the two.
_SEAL = text("""
    WITH due AS (
        SELECT * FROM transfers
         WHERE transfer_no > :after_no AND transfer_no <= :upto_no
         ORDER BY transfer_no
         LIMIT :limit
    ), digested AS (
        SELECT t.transfer_no, t.transfer_id,
               sha256(int8send(t.transfer_no) || uuid_send(t.transfer_id) || uuid_send(t.subject_id)
                      || uuid_send(t.user_id) || COALESCE('\\x01' || uuid_send(t.closes_id), '\\x00')
                      || int8send(t.amount_minor) || timestamptz_send(t.created_at)
                      || int4send(octet_length(t.kind)) || convert_to(t.kind, 'UTF8')
                      || int4send(octet_length(t.outcome)) || convert_to(t.outcome, 'UTF8')
                      || int4send(octet_length(t.currency)) || convert_to(t.currency, 'UTF8')
                      || int4send(octet_length(t.reference)) || convert_to(t.reference, 'UTF8')
                      || COALESCE(e.legs, '')) AS hash
          FROM due t
          LEFT JOIN LATERAL (
              SELECT string_agg(
                         int8send(e.entry_id) || uuid_send(e.account_id) || int8send(e.amount_minor)
                         || COALESCE('\\x01' || int8send(e.balance_after), '\\x00') || timestamptz_send(e.created_at)
                         || int4send(octet_length(e.currency)) || convert_to(e.currency, 'UTF8'),
                         '' ORDER BY e.entry_id) AS legs
                FROM entries e WHERE e.transfer_id = t.transfer_id) e ON true
    ), linked AS (
        INSERT INTO chain_links (transfer_no, transfer_id, block_no, hash)
        SELECT transfer_no, transfer_id, :block_no, hash FROM digested
    ), block AS (
        SELECT CASE WHEN count(*) < :limit THEN :upto_no ELSE max(transfer_no) END AS last_no,
               CASE WHEN count(*) < :limit THEN CAST(:drawn_at AS timestamptz) END AS complete_at,
               CAST(count(*) AS integer) AS transfers, clock_timestamp() AS sealed_at,
               string_agg(hash, '' ORDER BY transfer_no) AS hashes
          FROM digested HAVING count(*) > 0
    )
    INSERT INTO chain_blocks (block_no, last_no, transfers, sealed_at, complete_at, previous_hash, hash)
    SELECT :block_no, last_no, transfers, sealed_at, complete_at, :previous_hash,
           sha256(CAST(:previous_hash AS bytea) || int8send(:block_no) || int8send(last_no) || int4send(transfers)
                  || timestamptz_send(sealed_at)
                  || COALESCE('\\x01' || timestamptz_send(complete_at), '\\x00') || hashes)
      FROM block
    RETURNING block_no, last_no, transfers, sealed_at, hash
""")


@dataclass(frozen=True, slots=True)
class Drawn:
    """The highest number that any transfer, committed or not, had drawn at the time ``at``."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive transfers, hashed together with the hash of the previous block."""

    block_no: int
    last_no: int
    transfers: int
    sealed_at: datetime
    hash: bytes


def last_number_drawn(tx: Connection) -> Drawn:
    """Return the last number drawn."""
    row = tx.execute(_DRAWN).one()
    return Drawn(row.number, row.at)


def writers(tx: Connection) -> set[str]:
    """Return the open transactions that have written transfers or are about to."""
    return {row.virtualtransaction for row in tx.execute(_WRITERS)}


def try_lock_chain(tx: Connection) -> bool:
    """Take the chain's lock until the end of the transaction; return False if another transaction has it."""
    locked: bool = tx.execute(_TRY_LOCK, {"lock_id": CHAIN_LOCK_ID}).scalar_one()
    return locked


def seal_next_block(tx: Connection, *, upto: Drawn, limit: int) -> Block | None:
    """Seal up to ``limit`` of the next transfers with numbers up to ``upto``; return None if there are none.

    The caller holds the chain's lock, and every number up to ``upto`` is decided.
    """
    last = tx.execute(_LAST_BLOCK).one_or_none()
    row = (
        tx.execute(
            _SEAL,
            {
                "block_no": last.block_no + 1 if last else 1,
                "after_no": last.last_no if last else 0,
                "previous_hash": bytes(last.hash) if last else GENESIS,
                "upto_no": upto.number,
                "drawn_at": upto.at,
                "limit": limit,
            },
        )
        .mappings()
        .one_or_none()
    )
    return Block(**{**row, "hash": bytes(row["hash"])}) if row else None

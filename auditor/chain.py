"""The hash chain: the integrity of its blocks and links, its coverage of transfers, and its head."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from auditor.digest import BLOCK_DIGEST
from auditor.findings import Finding, Head, Report
from auditor.sources import Row, Source

WHOLE: Final = "the hash chain is intact and covers every transfer up to its head"
EXPECTED_HEAD: Final = "the hash chain contains the expected head"
ALIVE: Final = "new transfers are sealed"

#: New transfers are sealed every few seconds. An older unsealed one is a violation.
MAX_UNSEALED: Final = timedelta(minutes=10)
#: How far a clock adjustment of the database may move a time before it counts as false.
CLOCK_TOLERANCE: Final = timedelta(minutes=1)

_HEAD: Final = (
    "SELECT block_no, last_no, sealed_at, encode(hash, 'hex') FROM chain_blocks ORDER BY block_no DESC LIMIT 1"
)

#: Blocks with a wrong hash, position or links.
_BLOCKS: Final = f"""
    WITH linked AS (
        SELECT block_no, count(*) AS links_count, min(transfer_no) AS first, max(transfer_no) AS last,
               string_agg(hash, ''::bytea ORDER BY transfer_no) AS links
          FROM chain_links WHERE transfer_no > %(low)s GROUP BY block_no
    )
    SELECT b.block_no, l.block_no, l.links_count, b.transfers,
           (b.hash = {BLOCK_DIGEST}) IS TRUE,
           b.follows, b.previous_hash = b.expected_hash,
           (l.links_count = b.transfers AND l.first > b.above AND l.last <= b.last_no) IS TRUE
      FROM (SELECT *, COALESCE(lag(hash) OVER w, %(before_hash)s) AS expected_hash,
                   COALESCE(lag(last_no) OVER w, %(low)s) AS above,
                   block_no = COALESCE(lag(block_no) OVER w, %(before_block)s) + 1 AS follows
              FROM chain_blocks WHERE block_no > %(before_block)s WINDOW w AS (ORDER BY block_no)) b
      FULL JOIN linked l ON l.block_no = b.block_no
     WHERE b.block_no IS NULL OR l.block_no IS NULL OR b.hash IS DISTINCT FROM {BLOCK_DIGEST}
        OR NOT b.follows OR b.previous_hash <> b.expected_hash
        OR l.links_count <> b.transfers OR l.first <= b.above OR l.last > b.last_no
     ORDER BY COALESCE(b.block_no, l.block_no)
"""  # noqa: S608

_REMOVED: Final = """
    SELECT l.transfer_no, l.transfer_id::text, l.block_no
      FROM chain_links l LEFT JOIN transfers t USING (transfer_id)
     WHERE l.transfer_no > %(low)s AND (t.transfer_id IS NULL OR t.transfer_no <> l.transfer_no)
     ORDER BY l.transfer_no
"""

_UNSEALED: Final = """
    SELECT count(*), min(created_at), now() FROM transfers WHERE transfer_no > %(sealed_upto)s
"""

#: A transfer with a number above a complete block was created after that block was complete, and before its own block
#: was sealed.
_MISDATED: Final = """
    SELECT t.transfer_id::text, t.transfer_no, t.created_at, b.block_no, b.sealed_at
      FROM (SELECT block_no, last_no, sealed_at, COALESCE(lag(last_no) OVER w, 0) AS above,
                   COALESCE(max(complete_at) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '-infinity')
                   AS not_before
              FROM chain_blocks WINDOW w AS (ORDER BY block_no)) b
      JOIN chain_links l ON l.block_no = b.block_no
      JOIN transfers t ON t.transfer_id = l.transfer_id
     WHERE b.last_no > %(low)s AND t.transfer_no > %(low)s
       AND (t.created_at < b.not_before - %(tolerance)s OR t.created_at > b.sealed_at + %(tolerance)s)
     ORDER BY t.transfer_no
"""


@dataclass(frozen=True, slots=True)
class Start:
    """Where an audit starts: after which block and transfer number. The default is the beginning, below all numbers."""

    block_no: int = 0
    low: int = 1 - 2**63
    hash: bytes = bytes(32)

    @property
    def is_partial(self) -> bool:
        return self.block_no > 0


def start_after(ledger: Source, since: datetime | None) -> Start:
    """Return the start after the last block that was sealed before ``since``."""
    if since is None:
        return Start()
    found = ledger.rows(
        "SELECT block_no, last_no, hash FROM chain_blocks WHERE sealed_at < %(since)s ORDER BY block_no DESC LIMIT 1",
        {"since": since},
    )
    return Start(found[0][0], found[0][1], bytes(found[0][2])) if found else Start()


def head(ledger: Source) -> Head | None:
    """Return the newest block; None while nothing is sealed."""
    found = ledger.rows(_HEAD)
    return Head(*found[0]) if found else None


def examine(ledger: Source, report: Report, start: Start, expected_head: str | None) -> None:
    """Verify that the chain is intact from ``start`` on, and that it contains ``expected_head``."""
    sealed_upto = report.head.last_no if report.head else 0
    parameters = {
        "low": start.low,
        "before_block": start.block_no,
        "before_hash": start.hash,
        "sealed_upto": sealed_upto,
        "tolerance": CLOCK_TOLERANCE,
    }
    report.apply(
        WHOLE,
        [
            *(_broken(row) for row in ledger.rows(_BLOCKS, parameters)),
            *(_removed(row) for row in ledger.rows(_REMOVED, parameters)),
            *(_misdated(row) for row in ledger.rows(_MISDATED, parameters)),
        ],
    )
    count, oldest, now = ledger.rows(_UNSEALED, parameters)[0]
    report.counts |= {"unsealed": count}
    late = oldest is not None and now - oldest > MAX_UNSEALED
    report.apply(
        ALIVE,
        [Finding(ALIVE, "chain", f"{count} transfers are not sealed, the oldest since {oldest}")] if late else [],
    )
    if expected_head:
        report.apply(EXPECTED_HEAD, _missing_head(ledger, expected_head))


def _missing_head(ledger: Source, expected: str) -> list[Finding]:
    block_hash = expected.rpartition(":")[2].lower()
    if ledger.rows("SELECT 1 FROM chain_blocks WHERE encode(hash, 'hex') = %(hash)s", {"hash": block_hash}):
        return []
    message = f"no block has the hash {block_hash}: sealed transfers were removed or the chain was rebuilt"
    return [Finding(EXPECTED_HEAD, "chain", message)]


def _broken(row: Row) -> Finding:
    block_no, linked_no, links, transfers, hash_fits, follows, joined, links_fit = row
    if block_no is None:
        return Finding(WHOLE, f"block {linked_no}", f"is missing, but {links} links refer to it")
    reasons = [
        reason
        for is_wrong, reason in (
            (not follows, "the block before it is missing"),
            (not joined, "its previous hash is not that of the block before it"),
            (not links_fit, f"it sealed {transfers} transfers in its range, and {links or 0} links exist"),
            (not hash_fits, "its hash does not match its content: the block or one of its links was changed"),
        )
        if is_wrong
    ]
    return Finding(WHOLE, f"block {block_no}", "; ".join(reasons))


def _removed(row: Row) -> Finding:
    number, transfer_id, block_no = row
    return Finding(WHOLE, f"transfer {transfer_id}", f"block {block_no} sealed it as no. {number}, but it is missing")


def _misdated(row: Row) -> Finding:
    transfer_id, number, created_at, block_no, sealed_at = row
    return Finding(
        WHOLE,
        f"transfer {transfer_id}",
        f"no. {number} has the time {created_at}, which does not fit block {block_no} sealed at {sealed_at}",
    )

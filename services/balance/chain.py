"""Seal transfers into the hash chain.

Each transfer draws a sequence number at its insert, so a higher number can become visible before a lower one. The chain
covers each transfer once, in the order of the numbers, and never goes back. It therefore covers transfers up to the
lowest sequence number that an open transaction may still commit.
"""

import time
from typing import Final

from common.core.logging import get_logger
from common.db.engine import Database
from services.balance import chain_repository, log_events
from services.balance.chain_repository import Block, Drawn

log = get_logger(__name__)

BLOCK_SIZE: Final = 10_000
#: Bounds a run to less than the broker's visibility time-out; the next run continues.
BLOCKS_PER_RUN: Final = 100
#: Longer than any transfer takes. A longer transaction only defers the sealing to the next run.
WAIT_FOR_WRITERS_SECONDS: Final = 5.0
_POLL_INTERVAL_SECONDS: Final = 0.02


def seal(db: Database, *, block_size: int = BLOCK_SIZE) -> list[Block]:
    """Seal the transfers since the last block, in blocks of up to ``block_size``; return the new blocks.

    Takes no lock that a transfer needs. Safe to run concurrently.
    """
    upto = _last_decided_number(db)
    if upto is None:
        log.warning(log_events.CHAIN_SEAL_DEFERRED)
        return []
    blocks: list[Block] = []
    for _ in range(BLOCKS_PER_RUN):
        with db.transaction() as tx:
            if not chain_repository.try_lock_chain(tx):
                break
            block = chain_repository.seal_next_block(tx, upto=upto, limit=block_size)
        if block is None:
            break
        blocks.append(block)
        if block.transfers < block_size:
            break
    if blocks:
        log.info(
            log_events.CHAIN_SEALED,
            blocks=len(blocks),
            transfers=sum(block.transfers for block in blocks),
            last_no=blocks[-1].last_no,
            head=blocks[-1].hash.hex(),
        )
    return blocks


def _last_decided_number(db: Database) -> Drawn | None:
    """Return a number such that every transfer up to it is committed and visible, or never will be.

    Reads the number first and the writers second: a transaction that has drawn a number up to it is among the writers
    or has ended. Once those writers have ended, the number is decided. Returns None if one does not end in time.
    """
    with db.autocommit() as tx:
        upto = chain_repository.last_number_drawn(tx)
        waited_for = chain_repository.writers(tx)
        deadline = time.monotonic() + WAIT_FOR_WRITERS_SECONDS
        while waited_for:
            if time.monotonic() > deadline:
                return None
            time.sleep(_POLL_INTERVAL_SECONDS)
            waited_for &= chain_repository.writers(tx)
    return upto

"""Sealing the past: the use case behind the hash chain.

Each transfer draws a number when it is inserted, and commits when it commits: a higher number may be seen before a
lower one. The chain must cover each transfer once, in the order of the numbers, without going back. So it is only led
up to a number below which everything is decided: whoever could still bring a lower number is waited for.
"""

import time
from typing import Final

from common.core.logging import get_logger
from common.db.engine import Database
from services.balance import chain_repository
from services.balance.chain_repository import Block, Drawn

log = get_logger(__name__)

BLOCK_SIZE: Final = 10_000
#: One run ends before the broker takes its worker for dead; the next nudge goes on where it stopped.
BLOCKS_PER_RUN: Final = 100
#: No transfer takes so long; one that does puts off the sealing to the next nudge, and nothing else.
WAIT_FOR_WRITERS_SECONDS: Final = 5.0
_LOOK_EVERY_SECONDS: Final = 0.02


def seal(db: Database, *, block_size: int = BLOCK_SIZE) -> list[Block]:
    """Seal what was posted or refused since the last time; returns the new blocks.

    Nothing waits for it: it takes no lock that a transfer needs. Two at once do no harm.
    """
    upto = _last_decided_number(db)
    if upto is None:
        log.warning("chain not sealed, a transfer takes too long")
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
            "chain sealed",
            blocks=len(blocks),
            transfers=sum(block.transfers for block in blocks),
            last_no=blocks[-1].last_no,
            head=blocks[-1].hash.hex(),
        )
    return blocks


def _last_decided_number(db: Database) -> Drawn | None:
    """A number such that every transfer with it or a lower one is committed and visible, or never will be.

    First the number, then who is writing: any transaction that has drawn one up to it is among those, or has ended.
    When they have ended all is decided. None when one of them has not ended in time.
    """
    with db.autocommit() as tx:
        upto = chain_repository.last_number_drawn(tx)
        waited_for = chain_repository.writers(tx)
        deadline = time.monotonic() + WAIT_FOR_WRITERS_SECONDS
        while waited_for:
            if time.monotonic() > deadline:
                return None
            time.sleep(_LOOK_EVERY_SECONDS)
            waited_for &= chain_repository.writers(tx)
    return upto

"""Codes follow their keys: what an old key has encrypted is encrypted anew with the newest, so that the old can go.

Only codes of active checks. Of a check that is over the code opens nothing any more; without its key it only cannot
be told how the check ended.
"""

from dataclasses import dataclass

from common.db.errors import retry_on_conflict
from services.checks import code_repository
from services.checks.code_repository import Place
from services.checks.codes import CodeUnreadable
from services.checks.context import Context


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of a batch. ``last``: where the next one begins, None when there is none."""

    renewed: int
    unreadable: int
    last: Place | None


@retry_on_conflict
def renew_codes(context: Context, after: Place, limit: int) -> Renewed:
    """Bring a batch of codes under the newest key. A code that no key opens is left as it is, and counted."""
    with context.db.transaction() as tx:
        found = code_repository.lock_under_old_key(
            tx, context.codes.newest, now=context.clock.now(), after=after, limit=limit
        )
        renewed = {}
        for sealed in found:
            try:
                renewed[sealed.check_id] = context.codes.renew(sealed.check_id, sealed.ciphertext)
            except CodeUnreadable:
                continue
        if renewed:
            code_repository.save_renewed(tx, renewed)
    return Renewed(len(renewed), len(found) - len(renewed), found[-1].place if len(found) == limit else None)


def count_left(context: Context) -> int:
    """How many active checks still need an old key."""
    with context.db.autocommit() as tx:
        return code_repository.count_under_old_key(tx, context.codes.newest, now=context.clock.now())

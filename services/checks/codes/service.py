"""Use cases of the codes: replacing one, drawing the QR code of a check, and re-encrypting under the newest key."""

import io
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import segno
from sqlalchemy import Connection

from common.db.errors import retry_on_conflict
from common.db.idempotency import IdempotencyKey
from services.checks import repository as checks
from services.checks.codes import repository
from services.checks.codes.repository import Position
from services.checks.codes.vault import CodeUnreadable, random_code
from services.checks.context import Context
from services.checks.errors import refusal_to_creator
from services.checks.models import CheckStatus, Result
from services.checks.stored_responses import Decision, decide_once


def change_code(context: Context, creator_id: UUID, number: str, key: IdempotencyKey | None) -> Result:
    """Replace the code of the creator's active check; return the check with the new code, which differs from the old.

    Raises OwnCheckNotFound, CheckUsed, CheckAlreadyExpired, CheckAlreadyCancelled, RequestInProgress and
    IdempotencyKeyReused.
    """
    return decide_once(context, key, partial(_decide_new_code, context, creator_id, number))


def _decide_new_code(context: Context, creator_id: UUID, number: str, tx: Connection) -> Decision:
    check = checks.find_own(tx, number, creator_id, lock=True)
    now = context.clock.now()
    if check is None or check.status_at(now) is not CheckStatus.ACTIVE:
        return refusal_to_creator(check, now)
    code = old = context.codes.open(check.check_id, check.code_ciphertext)
    while code == old:
        code = random_code()
    changed = check.change_code(context.codes.seal(check.check_id, code))
    repository.save_code(tx, changed)
    return Result(changed, code)


def draw_qr(context: Context, creator_id: UUID, number: str, *, with_code: bool) -> bytes:
    """Return an SVG QR code of the link that opens the accept page with the number, and optionally the code, filled in.

    Number and code are in the fragment of the link, which browsers do not send: no server or log sees them. Raises
    OwnCheckNotFound, CheckUsed, CheckAlreadyExpired and CheckAlreadyCancelled.
    """
    now = context.clock.now()
    with context.db.autocommit() as tx:
        check = checks.find_own(tx, number, creator_id, lock=False)
    if check is None or check.status_at(now) is not CheckStatus.ACTIVE:
        raise refusal_to_creator(check, now)
    link = f"{context.settings.public_url.rstrip('/')}/accept#fastcheck={check.fastcheck}"
    if with_code:
        link += f"&code={context.codes.open(check.check_id, check.code_ciphertext)}"
    svg = io.BytesIO()
    # A view box without a size scales to the element that contains the image.
    segno.make_qr(link, error="m").save(svg, kind="svg", border=4, light="#fff", omitsize=True)
    return svg.getvalue()


@dataclass(frozen=True, slots=True)
class RenewedBatch:
    """The numbers of codes in a batch; ``last`` is where the next batch starts, or None after the last one."""

    renewed: int
    unreadable: int
    last: Position | None


@retry_on_conflict
def renew_codes(context: Context, after: Position, limit: int) -> RenewedBatch:
    """Re-encrypt a batch of codes of active checks with the newest key, so that older keys can be removed.

    A code that no key decrypts is left unchanged and counted. Codes of ended checks are left: without their key only
    the status of the check can no longer be reported.
    """
    with context.db.transaction() as tx:
        found = repository.lock_under_old_key(
            tx, context.codes.newest, now=context.clock.now(), after=after, limit=limit
        )
        renewed = {}
        for code in found:
            try:
                renewed[code.check_id] = context.codes.renew(code.check_id, code.ciphertext)
            except CodeUnreadable:
                continue
        if renewed:
            repository.save_renewed(tx, renewed)
    return RenewedBatch(len(renewed), len(found) - len(renewed), found[-1].position if len(found) == limit else None)


def count_under_old_keys(context: Context) -> int:
    """Return the number of active checks whose code is under an older key."""
    with context.db.autocommit() as tx:
        return repository.count_under_old_key(tx, context.codes.newest, now=context.clock.now())

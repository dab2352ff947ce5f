"""Use cases of the codes: replacing one, drawing the QR code of a check, and re-encrypting under the newest key."""

import io
from dataclasses import dataclass
from uuid import UUID

import segno

from common.db.connection import Connection
from common.db.errors import retry_on_conflict
from common.db.idempotency import IdempotencyKey
from services.checks import repository as checks
from services.checks.codes import repository
from services.checks.codes.repository import Place
from services.checks.codes.vault import CodeUnreadable, random_code
from services.checks.context import Context
from services.checks.errors import refusal_to_creator
from services.checks.models import CheckStatus, Result
from services.checks.stored_responses import Decision, decide_once


def change_code(context: Context, creator_id: UUID, number: str, key: IdempotencyKey | None) -> Result:
    """A new code; the old one stops working. Raises as :func:`cancel_check`, and CheckAlreadyCancelled."""

    def decide(tx: Connection) -> Decision:
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

    return decide_once(context, key, decide)


def draw_qr(context: Context, creator_id: UUID, number: str, *, with_code: bool) -> bytes:
    """An SVG picture of the link that opens the accept page filled in. Raises as :func:`change_code`.

    Number and code stand behind the ``#``, which browsers keep to themselves: no server or log sees them.
    """
    now = context.clock.now()
    with context.db.autocommit() as tx:
        check = checks.find_own(tx, number, creator_id, lock=False)
    if check is None or check.status_at(now) is not CheckStatus.ACTIVE:
        raise refusal_to_creator(check, now)
    link = f"{context.settings.public_url.rstrip('/')}/accept#fastcheck={check.fastcheck}"
    if with_code:
        link += f"&code={context.codes.open(check.check_id, check.code_ciphertext)}"
    picture = io.BytesIO()
    # With a view box and no size of its own the picture fits wherever it is put.
    segno.make_qr(link, error="m").save(picture, kind="svg", border=4, light="#fff", omitsize=True)
    return picture.getvalue()


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
        found = repository.lock_under_old_key(
            tx, context.codes.newest, now=context.clock.now(), after=after, limit=limit
        )
        renewed = {}
        for sealed in found:
            try:
                renewed[sealed.check_id] = context.codes.renew(sealed.check_id, sealed.ciphertext)
            except CodeUnreadable:
                continue
        if renewed:
            repository.save_renewed(tx, renewed)
    return Renewed(len(renewed), len(found) - len(renewed), found[-1].place if len(found) == limit else None)


def count_left(context: Context) -> int:
    """How many active checks still need an old key."""
    with context.db.autocommit() as tx:
        return repository.count_under_old_key(tx, context.codes.newest, now=context.clock.now())

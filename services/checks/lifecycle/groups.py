"""Creating and accepting the checks of concurrent requests together: one statement, one commit and one call per stage.

A group decides regular requests only; the others get ALONE and run on the single path of ``service``, which is the
reference for both. After the first commit of a group no request may run again: it would find its own effect.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from common.contracts.events import event_id
from common.core.errors import ServiceUnavailable
from common.core.grouping import ALONE, Alone
from common.core.logging import get_logger
from common.db.errors import is_rolled_back
from common.db.idempotency import IdempotencyKey
from services.checks import log_events
from services.checks.codes.attempts import allowance_at, opens
from services.checks.context import Context
from services.checks.lifecycle import group_repository, repository
from services.checks.lifecycle.group_repository import Draft, Use
from services.checks.models import Acceptance, Check, Creation, Result, Settled
from services.checks.stored_responses import response_to_store

log = get_logger(__name__)

#: Delay of the event of a check that is being settled by a direct call.
SETTLE_EVENT_DELAY_SECONDS: Final = 5.0


def create_many(context: Context, creations: Sequence[Creation]) -> list[Result | Exception | Alone]:
    """Create checks and hold their money; return, for each, the active check, an error or ALONE.

    A check that is returned as pending must be held alone: balance cannot decide it within a group.
    """
    firsts = _first_of_each([(_identity(creation.key),) for creation in creations])
    drafts = [creations[position] for position in firsts]
    lease_ends_at = context.clock.now() + timedelta(seconds=context.settings.hold_lease_seconds)
    try:
        with context.db.autocommit() as tx:
            inserted = group_repository.insert_pending_many(
                tx,
                [Draft(each.draft.check, each.key, response_to_store(each.draft)) for each in drafts],
                next_try_at=lease_ends_at,
            )
    except DBAPIError as error:
        if not is_rolled_back(error):
            raise
        return [ALONE] * len(creations)
    pending = [each for each in drafts if each.draft.check.check_id in inserted]
    try:
        held = _hold_many(context, pending)
    except Exception as error:  # noqa: BLE001  each request of a committed group gets it: none may run again
        return [error if each.draft.check.check_id in inserted else ALONE for each in creations]
    return [_created(each.draft, lease_is_taken=each.draft.check.check_id in inserted, held=held) for each in creations]


def _created(draft: Result, *, lease_is_taken: bool, held: set[UUID]) -> Result | Alone:
    if not lease_is_taken:
        return ALONE
    return Result(draft.check.activate(), draft.code) if draft.check.check_id in held else draft


def _hold_many(context: Context, creations: Sequence[Creation]) -> set[UUID]:
    """Hold the money of pending checks and save those that are held; return their ids."""
    checks = [creation.draft.check for creation in creations]
    if not checks:
        return set()
    try:
        done = context.balance.hold_many(checks, [creation.trace for creation in creations])
    except ServiceUnavailable:
        for check in checks:
            log.warning(log_events.HOLD_DEFERRED, check_id=str(check.check_id))
        with context.db.autocommit() as tx:
            repository.release_leases(tx, [check.check_id for check in checks], now=context.clock.now())
        raise
    held = [creation for creation, is_held in zip(creations, done, strict=True) if is_held]
    if held:
        with context.db.autocommit() as tx:
            group_repository.activate_many(tx, [(each.draft.check, each.trace) for each in held])
    return {each.draft.check.check_id for each in held}


def accept_many(context: Context, acceptances: Sequence[Acceptance]) -> list[Settled | Alone]:
    """Accept checks and settle their money; return, for each, the used check or ALONE.

    A check that is returned as not settled must be settled alone.
    """
    try:
        uses = _accept_regular(context, acceptances)
    except DBAPIError as error:
        if not is_rolled_back(error):
            raise
        return [ALONE] * len(acceptances)
    settled = _settle_many(context, list(uses.values()))
    return [
        Settled(Result(uses[position].check), is_settled=uses[position].check.check_id in settled)
        if position in uses
        else ALONE
        for position in range(len(acceptances))
    ]


def _accept_regular(context: Context, acceptances: Sequence[Acceptance]) -> dict[int, Use]:
    """Save the ends of those checks whose attempts are regular, in one transaction; return them by position."""
    firsts = _first_of_each([(_identity(each.key), each.attempt.number) for each in acceptances])
    attempts = [(acceptances[position].attempt, acceptances[position].key) for position in firsts]
    with context.db.transaction() as tx:
        locked = group_repository.lock_for_attempts(tx, attempts, allowance_at(context, context.clock.now()))
        # The time after the locks, as on the single path.
        now = context.clock.now()
        uses = {}
        for place, position in enumerate(firsts):
            acceptance, check = acceptances[position], locked.get(place)
            if opens(context, replace(acceptance.attempt, at=now), check) and check is not None:
                uses[position] = _use(check, acceptance, now)
        if uses:
            group_repository.save_used(tx, list(uses.values()), delay_seconds=SETTLE_EVENT_DELAY_SECONDS)
    return uses


def _first_of_each(identities: Sequence[tuple[object, ...]]) -> list[int]:
    """Return the positions of the items none of whose identities occurred before; None is no identity.

    The locks of a transaction do not protect one of its items from another: of two with the same key or the same check,
    the second must run alone.
    """
    seen: set[object] = set()
    firsts = []
    for position, own in enumerate(identities):
        if seen.isdisjoint(own):
            firsts.append(position)
        seen.update(each for each in own if each is not None)
    return firsts


def _identity(key: IdempotencyKey | None) -> object:
    return (key.user_id, key.operation, key.key) if key else None


def _use(check: Check, acceptance: Acceptance, now: datetime) -> Use:
    used = check.accept(acceptance.attempt.user_id, now)
    return Use(used, used.accepted_event(), acceptance.trace, acceptance.key, response_to_store(Result(used)))


def _settle_many(context: Context, uses: Sequence[Use]) -> set[UUID]:
    """Settle used checks; return the ids of those that need no further call: settled, or left to their events."""
    checks = [use.check for use in uses]
    if not checks:
        return set()
    try:
        done = context.balance.settle_many(checks, [use.trace for use in uses])
    except ServiceUnavailable as error:
        for check in checks:
            log.warning(log_events.SETTLEMENT_DEFERRED, check_id=str(check.check_id), error=repr(error))
        return {check.check_id for check in checks}
    for use, is_done in zip(uses, done, strict=True):
        if is_done:
            context.acknowledger.acknowledge(event_id(use.event))
    return {check.check_id for check, is_done in zip(checks, done, strict=True) if is_done}

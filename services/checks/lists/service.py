"""Use cases that list checks: the active ones and the history. The cost of a page does not depend on its position."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from common.core.errors import InvalidRequest
from common.http.server.paging import Page, decode_cursor, page_of
from services.checks.context import Context
from services.checks.errors import OwnCheckNotFound
from services.checks.lists import repository
from services.checks.models import CheckStatus, Ending, HistoryLine, HistoryType, Result

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_INSTANT: Final = datetime(9999, 12, 31, tzinfo=UTC)
_FIRST_ID: Final = UUID(int=0)
_LAST_ID: Final = UUID(int=2**128 - 1)

#: A check that its creator accepted is in the history twice: the created side comes first.
_RANKS: Final = {HistoryType.CREATED: 2, HistoryType.ACCEPTED: 1}


def list_active(context: Context, creator_id: UUID, limit: int, cursor: str | None) -> Page[Result]:
    """Return a page of the creator's active checks with their codes, newest first.

    Raises InvalidRequest for a malformed cursor, and CodeUnreadable.
    """
    before = (_LAST_INSTANT, _LAST_ID)
    if cursor:
        at, check_id = decode_cursor(cursor, int, str)
        before = (_instant(at), _id(check_id))
    with context.db.autocommit() as tx:
        checks = repository.active_checks(tx, creator_id, now=context.clock.now(), before=before, limit=limit + 1)
    page = page_of(checks, limit, lambda check: (_microseconds(check.created_at), str(check.check_id)))
    return Page(
        [Result(check, context.codes.open(check.check_id, check.code_ciphertext)) for check in page.items],
        page.next_cursor,
    )


def get_check(context: Context, user_id: UUID, number: str) -> tuple[HistoryType, Result]:
    """Return a check that the user created or accepted, with its code if it is an own active check.

    Raises OwnCheckNotFound, and CodeUnreadable.
    """
    with context.db.autocommit() as tx:
        check = repository.find_of_participant(tx, number, user_id)
    if check is None:
        raise OwnCheckNotFound
    if check.creator_id != user_id:
        return HistoryType.ACCEPTED, Result(check)
    is_active = check.status_at(context.clock.now()) is CheckStatus.ACTIVE
    code = context.codes.open(check.check_id, check.code_ciphertext) if is_active else None
    return HistoryType.CREATED, Result(check, code)


def list_history(
    context: Context,
    user_id: UUID,
    *,
    only_type: HistoryType | None,
    only_ending: Ending | None,
    limit: int,
    cursor: str | None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[HistoryLine]:
    """Return a page of the ended checks that the user created or accepted, last ended first.

    ``since`` and ``until`` bound the time of the end. Raises InvalidRequest for a malformed cursor.
    """
    before = (_LAST_INSTANT, _LAST_ID, _RANKS[HistoryType.CREATED])
    if cursor:
        at, check_id, rank = decode_cursor(cursor, int, str, int)
        before = (_instant(at), _id(check_id), 1 if rank == 1 else 2)
    with context.db.autocommit() as tx:
        lines = repository.history(
            tx,
            user_id,
            statuses=() if only_type is HistoryType.ACCEPTED else _stored_statuses(only_ending),
            with_accepted=only_type is not HistoryType.CREATED and only_ending in {None, Ending.USED},
            now=context.clock.now(),
            since=since or _EPOCH,
            before=min(before, (until, _FIRST_ID, 0)) if until else before,
            limit=limit + 1,
        )
    return page_of(
        lines,
        limit,
        lambda line: (_microseconds(line.check.closes_at), str(line.check.check_id), _RANKS[line.type]),
    )


def _stored_statuses(only_ending: Ending | None) -> list[CheckStatus]:
    """Return the stored statuses of the endings. An expired check is stored as active until the sweep reaches it."""
    endings = list(Ending) if only_ending is None else [only_ending]
    also = [CheckStatus.ACTIVE] if Ending.EXPIRED in endings else []
    return [CheckStatus(ending.value) for ending in endings] + also


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _instant(microseconds: object) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=int(str(microseconds)))
    except OverflowError:
        raise InvalidRequest(errors={"cursor": "is not a cursor of this list"}) from None


def _id(text: object) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        raise InvalidRequest(errors={"cursor": "is not a cursor of this list"}) from None

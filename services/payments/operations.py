"""What operators see of top-ups, and the question that they may put to a bank at once."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from common.core.errors import ServiceUnavailable
from common.http.server.paging import Page, decode_cursor, page_of
from services.payments import repository, service
from services.payments.banks.base import BankUnavailable, PaymentNotFound
from services.payments.context import Context
from services.payments.errors import TopUpNotFound
from services.payments.models import Attempt, TopUp
from services.payments.notifications import repository as notifications
from services.payments.notifications.repository import StoredNotification
from services.payments.refunds import repository as refunds
from services.payments.refunds.models import Refund

_NO_CURSOR: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Story:
    """A top-up with all that happened to it."""

    topup: TopUp
    attempts: list[Attempt]
    notifications: list[StoredNotification]
    refunds: list[Refund]


def story(context: Context, topup_id: UUID) -> Story:
    """Everything about one top-up; raises TopUpNotFound."""
    with context.db.transaction() as tx:
        found = repository.find(tx, topup_id)
        if found is None:
            raise TopUpNotFound
        return Story(
            found.topup,
            repository.attempts_of(tx, topup_id),
            notifications.of_topup(tx, topup_id),
            refunds.of_topup(tx, topup_id),
        )


def ask_now(context: Context, topup_id: UUID) -> str:
    """Put the question to the bank that the schedule would put; returns the answer in words.

    Raises TopUpNotFound, ServiceUnavailable.
    """
    with context.db.autocommit() as tx:
        found = repository.find(tx, topup_id)
    if found is None:
        raise TopUpNotFound
    try:
        return service.ask_bank(context, found, source="operator")
    except PaymentNotFound as error:
        return str(error)
    except BankUnavailable as error:
        raise ServiceUnavailable(f"the bank does not answer: {error}") from error


def list_refused(context: Context, bank: str | None, limit: int, cursor: str | None) -> Page[StoredNotification]:
    """Notifications that were not acted on, newest first; raises InvalidRequest for a foreign cursor."""
    before = int(str(decode_cursor(cursor, int)[0])) if cursor else _NO_CURSOR
    with context.db.autocommit() as tx:
        found = notifications.list_refused(tx, bank=bank, before_id=before, limit=limit + 1)
    return page_of(found, limit, lambda item: (item.notification_id,))

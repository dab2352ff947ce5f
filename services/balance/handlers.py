"""Event handlers. Each applies a batch of events of one type in the inbox's transaction."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from common.bus.inbox import Handler
from common.contracts.events import CheckAccepted, CheckCancelled, CheckExpired, PaymentConfirmed
from services.balance import service
from services.balance.models import Posting, TransferKind


def on_payment_confirmed(tx: Connection, events: Sequence[PaymentConfirmed]) -> None:
    """Credit confirmed top-ups to their users."""
    service.credit_all(
        tx,
        [
            Posting(TransferKind.TOPUP, e.topup_id, e.user_id, e.amount_minor, e.currency, str(e.topup_id))
            for e in events
        ],
    )


def on_check_accepted(tx: Connection, events: Sequence[CheckAccepted]) -> None:
    """Credit accepted checks to their acceptors, unless the settle command already has."""
    service.credit_all(
        tx,
        [
            Posting(TransferKind.CHECK_ACCEPTED, e.check_id, e.acceptor_id, e.amount_minor, e.currency, e.fastcheck)
            for e in events
        ],
    )


def on_check_expired(tx: Connection, events: Sequence[CheckExpired]) -> None:
    """Return the money of expired checks to their creators."""
    service.credit_all(
        tx,
        [
            Posting(TransferKind.CHECK_EXPIRED, e.check_id, e.creator_id, e.amount_minor, e.currency, e.fastcheck)
            for e in events
        ],
    )


def on_check_cancelled(tx: Connection, events: Sequence[CheckCancelled]) -> None:
    """Return the money of cancelled checks to their creators, unless the release command already has."""
    service.credit_all(
        tx,
        [
            Posting(TransferKind.CHECK_CANCELLED, e.check_id, e.creator_id, e.amount_minor, e.currency, e.fastcheck)
            for e in events
        ],
    )


HANDLERS: Final[Mapping[str, Handler]] = {
    PaymentConfirmed.TYPE: on_payment_confirmed,
    CheckAccepted.TYPE: on_check_accepted,
    CheckExpired.TYPE: on_check_expired,
    CheckCancelled.TYPE: on_check_cancelled,
}

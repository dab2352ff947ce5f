"""What receivers are told of an event: the JSON payload of each message."""

import json
from collections.abc import Iterator
from uuid import UUID

from common.contracts.events import (
    CheckAccepted,
    CheckCancelled,
    CheckCreated,
    CheckExpired,
    PaymentConfirmed,
    event_id,
)
from common.core.clock import format_utc
from common.core.ids import derived_id
from services.webhooks.models import EventType, Message

_FIRST, _LAST = 0, 1


def of_created(event: CheckCreated) -> Iterator[Message]:
    """Yield the message to the creator."""
    data = {"expiration": format_utc(event.expires_at), "status": "active"}
    yield _of_check(event, EventType.CHECK_CREATED, event.creator_id, "created", data)


def of_accepted(event: CheckAccepted) -> Iterator[Message]:
    """Yield the messages to the creator and to the acceptor. One user who is both gets both."""
    data = {"acceptedAt": format_utc(event.occurred_at), "status": "used"}
    if event.creator_id is not None:
        yield _of_check(event, EventType.CHECK_ACCEPTED, event.creator_id, "created", data)
    yield _of_check(event, EventType.CHECK_ACCEPTED, event.acceptor_id, "accepted", data)


def of_expired(event: CheckExpired) -> Iterator[Message]:
    """Yield the message to the creator."""
    data = {"expiredAt": format_utc(event.occurred_at), "status": "expired"}
    yield _of_check(event, EventType.CHECK_EXPIRED, event.creator_id, "created", data)


def of_cancelled(event: CheckCancelled) -> Iterator[Message]:
    """Yield the message to the creator."""
    data = {"cancelledAt": format_utc(event.occurred_at), "status": "cancelled"}
    yield _of_check(event, EventType.CHECK_CANCELLED, event.creator_id, "created", data)


def of_confirmed(event: PaymentConfirmed) -> Iterator[Message]:
    """Yield the message to the user of the top-up."""
    data = {
        "transactionID": str(event.topup_id),
        "amount": event.amount_minor,
        "currency": event.currency,
        "confirmedAt": format_utc(event.occurred_at),
        "status": "confirmed",
    }
    yield Message(
        message_id=derived_id("webhook", event_id(event), event.user_id),
        user_id=event.user_id,
        event_type=EventType.TOPUP_CONFIRMED,
        object_id=event.topup_id,
        position=_FIRST,
        payload=_payload(EventType.TOPUP_CONFIRMED, format_utc(event.occurred_at), data),
        occurred_at=event.occurred_at,
    )


def _of_check(
    event: CheckCreated | CheckAccepted | CheckExpired | CheckCancelled,
    event_type: EventType,
    user_id: UUID,
    role: str,
    more: dict[str, str],
) -> Message:
    is_creation = isinstance(event, CheckCreated)
    created_at = event.occurred_at if isinstance(event, CheckCreated) else event.created_at
    by_creator = getattr(event, "creator_id", None) == user_id
    data: dict[str, object] = {
        "fastcheck": event.fastcheck,
        "amount": event.amount_minor,
        "currency": event.currency,
        "type": role,
        **({"note": event.note} if event.note is not None else {}),
        **({"createdAt": format_utc(created_at)} if created_at is not None else {}),
        **more,
    }
    return Message(
        message_id=derived_id("webhook", event_id(event), user_id, role),
        user_id=user_id,
        event_type=event_type,
        object_id=event.check_id,
        position=_FIRST if is_creation else _LAST,
        payload=_payload(event_type, format_utc(event.occurred_at), data),
        occurred_at=event.occurred_at,
        object_created_at=created_at if by_creator and not is_creation else None,
    )


def _payload(event_type: EventType, timestamp: str, data: dict[str, object]) -> str:
    return json.dumps({"type": event_type.value, "timestamp": timestamp, "data": data}, ensure_ascii=False)

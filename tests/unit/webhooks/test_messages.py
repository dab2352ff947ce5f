"""The payloads that receivers get."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common.contracts.events import CheckAccepted, CheckCancelled, CheckCreated, CheckExpired, PaymentConfirmed
from services.webhooks import messages
from services.webhooks.models import EventType, Message

CHECK = UUID("11111111-1111-4111-8111-111111111111")
CREATOR = UUID("22222222-2222-4222-8222-222222222222")
ACCEPTOR = UUID("33333333-3333-4333-8333-333333333333")
CREATED_AT = datetime(2026, 1, 19, 9, 8, 18, 999_999, tzinfo=UTC)
ENDED_AT = datetime(2026, 1, 20, 10, 0, 0, tzinfo=UTC)
NUMBER = "1234-5678-0001"
CHECK_DATA = {
    "fastcheck": NUMBER,
    "amount": 15000,
    "currency": "RUB",
    "note": "На обед",
    "createdAt": "2026-01-19T09:08:18Z",
}


def payloads(found: Iterable[Message]) -> list[tuple[UUID, dict[str, Any]]]:
    return [(message.user_id, json.loads(message.payload)) for message in found]


def accepted(acceptor: UUID = ACCEPTOR, **more: Any) -> CheckAccepted:
    return CheckAccepted(CHECK, NUMBER, acceptor, 15000, "RUB", ENDED_AT, **more)


COMPLETE: dict[str, Any] = {"creator_id": CREATOR, "created_at": CREATED_AT, "note": "На обед"}


def test_created() -> None:
    event = CheckCreated(CHECK, NUMBER, CREATOR, 15000, "RUB", ENDED_AT, CREATED_AT, "На обед")
    (message,) = messages.of_created(event)
    data = {**CHECK_DATA, "type": "created", "expiration": "2026-01-20T10:00:00Z", "status": "active"}
    assert json.loads(message.payload) == {"type": "check.created", "timestamp": "2026-01-19T09:08:18Z", "data": data}
    assert (message.user_id, message.object_id, message.position) == (CREATOR, CHECK, 0)
    assert message.object_created_at is None, "nothing goes before the creation"


def test_accepted_goes_to_the_creator_and_to_the_acceptor() -> None:
    ended = {**CHECK_DATA, "acceptedAt": "2026-01-20T10:00:00Z", "status": "used"}
    assert payloads(messages.of_accepted(accepted(**COMPLETE))) == [
        (user, {"type": "check.accepted", "timestamp": "2026-01-20T10:00:00Z", "data": {**ended, "type": role}})
        for user, role in ((CREATOR, "created"), (ACCEPTOR, "accepted"))
    ]


def test_end_waits_for_the_creation_at_the_creator_only() -> None:
    found = {message.user_id: message for message in messages.of_accepted(accepted(**COMPLETE))}
    assert found[CREATOR].object_created_at == CREATED_AT
    assert found[ACCEPTOR].object_created_at is None
    assert {message.position for message in found.values()} == {1}


def test_user_who_accepts_an_own_check_gets_both_messages() -> None:
    found = list(messages.of_accepted(accepted(CREATOR, **COMPLETE)))
    assert [json.loads(message.payload)["data"]["type"] for message in found] == ["created", "accepted"]
    assert len({message.message_id for message in found}) == 2
    assert {message.object_created_at for message in found} == {CREATED_AT}


def test_event_of_an_older_publisher_lacks_what_it_does_not_know() -> None:
    ((user, payload),) = payloads(messages.of_accepted(accepted()))
    assert user == ACCEPTOR
    assert payload["data"].keys().isdisjoint({"note", "createdAt"})


def test_expired_and_cancelled_go_to_the_creator() -> None:
    fields = (CHECK, NUMBER, CREATOR, 15000, "RUB", ENDED_AT, CREATED_AT, "На обед")
    for name, found in (
        ("expired", messages.of_expired(CheckExpired(*fields))),
        ("cancelled", messages.of_cancelled(CheckCancelled(*fields))),
    ):
        data = {**CHECK_DATA, "type": "created", f"{name}At": "2026-01-20T10:00:00Z", "status": name}
        expected = {"type": f"check.{name}", "timestamp": "2026-01-20T10:00:00Z", "data": data}
        assert payloads(found) == [(CREATOR, expected)]


def test_confirmed() -> None:
    (message,) = messages.of_confirmed(PaymentConfirmed(CHECK, CREATOR, "tbank", 50000, "RUB", ENDED_AT))
    data = {
        "transactionID": str(CHECK),
        "amount": 50000,
        "currency": "RUB",
        "confirmedAt": "2026-01-20T10:00:00Z",
        "status": "confirmed",
    }
    assert json.loads(message.payload) == {"type": "topup.confirmed", "timestamp": "2026-01-20T10:00:00Z", "data": data}
    assert (message.user_id, message.event_type, message.object_id) == (CREATOR, EventType.TOPUP_CONFIRMED, CHECK)


def test_message_id_depends_on_the_event_and_the_user_only() -> None:
    first, again = (list(messages.of_accepted(accepted(**COMPLETE))) for _ in range(2))
    assert first == again
    assert len({message.message_id for message in first}) == 2

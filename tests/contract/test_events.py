"""The wire format of events is stable. A golden file is never edited: a new format is a new type."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from common.contracts.envelope import Envelope
from common.contracts.events import (
    EVENTS,
    SUBSCRIBERS,
    CheckAccepted,
    CheckCancelled,
    CheckCreated,
    CheckExpired,
    Event,
    PaymentConfirmed,
    pack,
    unpack,
)

GOLDEN = Path(__file__).parent / "golden" / "events"
SUBJECT_ID = UUID("11111111-1111-4111-8111-111111111111")
USER_ID = UUID("22222222-2222-4222-8222-222222222222")
OCCURRED_AT = datetime(2026, 1, 19, 9, 8, 18, 123456, tzinfo=UTC)

CREATED_AT = datetime(2026, 1, 18, 9, 8, 18, 123456, tzinfo=UTC)
CREATOR_ID = UUID("33333333-3333-4333-8333-333333333333")

SAMPLES: list[Event] = [
    CheckCreated(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT, CREATED_AT),
    CheckAccepted(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT),
    CheckExpired(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT),
    CheckCancelled(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT),
    PaymentConfirmed(SUBJECT_ID, USER_ID, "tbank", 50000, "RUB", OCCURRED_AT),
]


#: With every optional field, which older events lack.
COMPLETE: list[Event] = [
    CheckCreated(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT, CREATED_AT, "For dinner"),
    CheckAccepted(
        SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT, CREATOR_ID, CREATED_AT, "For dinner"
    ),
    CheckExpired(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT, CREATED_AT, "For dinner"),
    CheckCancelled(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT, CREATED_AT, "For dinner"),
]


def test_every_event_has_a_sample_a_subscriber_and_a_golden_file() -> None:
    types = {event.TYPE for event in SAMPLES}
    assert types == set(EVENTS) == set(SUBSCRIBERS) == {path.stem for path in GOLDEN.glob("*.json")}


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.TYPE)
def test_wire_format_equals_the_golden_file(event: Event) -> None:
    wire = pack(event, request_id="0123456789abcdef", traceparent=None).to_wire()
    assert wire == json.loads((GOLDEN / f"{event.TYPE}.json").read_text())


@pytest.mark.parametrize("event", COMPLETE, ids=lambda event: event.TYPE)
def test_wire_format_with_optional_fields_equals_the_golden_file(event: Event) -> None:
    golden = json.loads((GOLDEN / "complete" / f"{event.TYPE}.json").read_text())
    assert pack(event, request_id="0123456789abcdef").to_wire() == golden
    assert unpack(Envelope.from_wire(golden)) == event


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_golden_event_can_be_read(path: Path) -> None:
    envelope = Envelope.from_wire(json.loads(path.read_text()))
    assert unpack(envelope) in SAMPLES


def test_event_id_depends_only_on_its_cause() -> None:
    first = CheckExpired(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", OCCURRED_AT)
    later = CheckExpired(SUBJECT_ID, "1234-5678-0001", USER_ID, 15000, "RUB", datetime.now(UTC))
    assert pack(first).event_id == pack(later).event_id
    assert len({pack(event).event_id for event in SAMPLES}) == len(SAMPLES)

"""Signatures on the bus: what is signed, who may send what, and what a receiver rejects."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.bus.signatures import REJECTED_MESSAGES, Kind, MessageKeys, Reason, may_acknowledge, may_publish
from common.contracts.events import EVENTS, PUBLISHERS, SUBSCRIBERS
from deploy import credentials

SECRETS = credentials.generate()
EVENT: dict[str, Any] = {"event_id": "1", "type": "payment.confirmed.v1", "payload": {"b": 1, "a": "ё"}}


def keys(service: str) -> MessageKeys:
    return MessageKeys(service, SECRETS.token_keys[service], SECRETS.public_keys())


def test_message_is_accepted_after_it_was_serialized_again_in_another_order() -> None:
    signature = keys("payments").sign(Kind.EVENTS, "balance", [EVENT])
    received = json.loads(json.dumps([{name: EVENT[name] for name in reversed(EVENT)}], ensure_ascii=False))
    assert keys("balance").accepts(Kind.EVENTS, "payments", received, signature)


@pytest.mark.parametrize("name", sorted(EVENT))
def test_change_of_any_field_is_rejected(name: str) -> None:
    signature = keys("payments").sign(Kind.EVENTS, "balance", [EVENT])
    assert not keys("balance").accepts(Kind.EVENTS, "payments", [{**EVENT, name: "other"}], signature)
    assert not keys("balance").accepts(Kind.EVENTS, "payments", [EVENT, EVENT], signature)
    assert not keys("balance").accepts(Kind.EVENTS, "payments", [], signature)


def test_rejection_is_logged_as_an_error_and_counted_without_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = REJECTED_MESSAGES.labels("balance", Reason.UNSIGNED)
    before = counted._value.get()
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "common.bus.signatures.log.error", lambda event, **fields: lines.append({"event": event, **fields})
    )
    assert not keys("balance").accepts(Kind.EVENTS, "payments", [EVENT], None)
    assert counted._value.get() == before + 1
    (line,) = lines
    assert line == {
        "event": "message_rejected",
        "kind": "events",
        "sender": "payments",
        "reason": "unsigned",
        "items": 1,
    }


def test_signature_of_the_same_text_without_the_context_is_rejected() -> None:
    """A key signs tokens too. Nothing that it signs elsewhere is a message."""
    text = json.dumps(["events", "payments", "balance", [EVENT]], sort_keys=True, separators=(",", ":"))
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(SECRETS.token_keys["payments"]))
    signature = base64.b64encode(private.sign(text.encode())).decode()
    assert not keys("balance").accepts(Kind.EVENTS, "payments", [EVENT], signature)


def test_every_event_has_one_publisher_and_no_other_may_publish_it() -> None:
    assert set(PUBLISHERS) == set(EVENTS)
    allowed = {(name, each) for name in EVENTS for each in SECRETS.token_keys if may_publish(each, [{"type": name}])}
    assert allowed == {
        ("check.created.v1", "checks"),
        ("check.accepted.v1", "checks"),
        ("check.expired.v1", "checks"),
        ("check.cancelled.v1", "checks"),
        ("payment.confirmed.v1", "payments"),
    }


def test_one_forbidden_event_makes_the_message_forbidden() -> None:
    assert not may_publish("checks", [{"type": "check.expired.v1"}, {"type": "payment.confirmed.v1"}])


@pytest.mark.parametrize(
    "events", [[{}], ["check.expired.v1"], [{"type": 1}], [{"type": ["check.expired.v1"]}], [None]]
)
def test_event_without_a_type_is_not_allowed(events: list[Any]) -> None:
    assert not may_publish("checks", events)


def test_unknown_type_is_left_to_the_inbox_which_has_no_handler_for_it() -> None:
    assert may_publish("checks", [{"type": "check.expired.v9"}])


def test_only_a_subscriber_may_acknowledge() -> None:
    allowed = {
        (who, whose) for who in SECRETS.token_keys for whose in SECRETS.token_keys if may_acknowledge(who, whose)
    }
    assert allowed == {(who, whose) for who in ("balance", "webhooks") for whose in ("checks", "payments")}
    assert {name for names in SUBSCRIBERS.values() for name in names} == {"balance", "webhooks"}

"""Webhooks are authenticated before they are read."""

import json
import time
from datetime import UTC, datetime

import pytest
from fastcheck import InvalidWebhook, verify
from standardwebhooks import Webhook

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = 1_800_000_000
OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAYLOAD = {"type": "check.accepted", "timestamp": "2026-01-19T09:08:18Z", "data": {"amount": 15000, "note": "На обед"}}
BODY = json.dumps(PAYLOAD, ensure_ascii=False).encode()


def signed(*secrets: str, at: float | None = None, body: bytes = BODY) -> dict[str, str]:
    """Sign with the official library."""
    now = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    signatures = [Webhook(secret).sign("msg_1", now, body.decode()) for secret in secrets]
    return {
        "Webhook-Id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def test_authentic_webhook_is_read() -> None:
    event = verify(SECRET, signed(SECRET), BODY)
    assert (event.message_id, event.type, event.timestamp) == ("msg_1", PAYLOAD["type"], PAYLOAD["timestamp"])
    assert event.data == PAYLOAD["data"]


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed(OTHER, SECRET)
    headers["webhook-signature"] = f"v1a,xxxx {headers['webhook-signature']}"
    assert verify(SECRET, headers, BODY).message_id == "msg_1"


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("Webhook-Id", "msg_2"),
        ("webhook-timestamp", str(NOW + 1)),
        ("webhook-timestamp", "soon"),
        ("webhook-signature", "v1,AAAA"),
        ("webhook-signature", "v1,é"),
        ("webhook-signature", ""),
    ],
)
def test_changed_header_is_rejected(changed: str, value: str) -> None:
    with pytest.raises(InvalidWebhook):
        verify(SECRET, signed(SECRET, at=NOW) | {changed: value}, BODY, now=NOW)


@pytest.mark.parametrize("missing", ["Webhook-Id", "webhook-timestamp", "webhook-signature"])
def test_missing_header_is_rejected(missing: str) -> None:
    headers = signed(SECRET)
    del headers[missing]
    with pytest.raises(InvalidWebhook):
        verify(SECRET, headers, BODY)


def test_changed_body_and_other_secret_are_rejected() -> None:
    with pytest.raises(InvalidWebhook):
        verify(SECRET, signed(SECRET), BODY.replace(b"15000", b"99999"))
    with pytest.raises(InvalidWebhook):
        verify(OTHER, signed(SECRET), BODY)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_recorded_request_is_rejected_later(seconds: int) -> None:
    now = 1_800_000_000.0
    assert verify(SECRET, signed(SECRET, at=now), BODY, now=now + 299)
    with pytest.raises(InvalidWebhook, match="timestamp"):
        verify(SECRET, signed(SECRET, at=now), BODY, now=now + seconds)


def test_malformed_secret_is_an_error_of_the_program() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        verify("whsec_*", signed(SECRET), BODY)

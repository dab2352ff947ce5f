"""The limit on failed sign-ins, and the format of a session id."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.accounts.models import FailureLimit, NewSession

NOW = datetime(2026, 1, 19, 9, 8, 18, tzinfo=UTC)
LIMIT = FailureLimit.of(3, 60.0, "login", "alice", "192.0.2.1")


def after_failures(number: int) -> datetime:
    """Return the value that the database stores for this number of failures at NOW."""
    return NOW + number * LIMIT.forgiven_every


def test_failures_within_the_burst_require_no_wait() -> None:
    assert LIMIT.seconds_to_wait(None, NOW) == 0
    assert [LIMIT.seconds_to_wait(after_failures(number), NOW) for number in (1, 2)] == [0, 0]


def test_one_more_attempt_is_allowed_each_minute_after_the_burst() -> None:
    assert LIMIT.seconds_to_wait(after_failures(3), NOW) == 60
    assert LIMIT.seconds_to_wait(after_failures(3), NOW + timedelta(seconds=59.5)) == 1
    assert LIMIT.seconds_to_wait(after_failures(3), NOW + timedelta(seconds=60)) == 0


def test_old_failures_do_not_count() -> None:
    assert LIMIT.seconds_to_wait(NOW - timedelta(days=1), NOW) == 0


def test_subjects_differ_when_any_part_differs() -> None:
    subjects = {
        FailureLimit.of(3, 60.0, *parts).subject
        for parts in [
            ("login", "alice"),
            ("login", "alice", "192.0.2.1"),
            ("login", "alice", "192.0.2.2"),
            ("x", "alice"),
        ]
    }
    assert len(subjects) == 4


def test_session_id_is_32_uppercase_hex_digits_and_is_stored_as_a_hash() -> None:
    session = NewSession.start(uuid4(), NOW, timedelta(days=30))
    assert re.fullmatch("[0-9A-F]{32}", session.session_id)
    assert session.session_hash == hashlib.sha256(session.session_id.encode()).digest()
    assert session.expires_at == NOW + timedelta(days=30)
    assert NewSession.start(uuid4(), NOW, timedelta(days=30)).session_id != session.session_id

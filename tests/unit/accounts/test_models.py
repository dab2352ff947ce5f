"""The arithmetic of forgiveness, and the shape of a session id."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.accounts.models import FailureLimit, NewSession

NOW = datetime(2026, 1, 19, 9, 8, 18, tzinfo=UTC)
LIMIT = FailureLimit.of(3, 60.0, "login", "anna", "192.0.2.1")


def after_failures(number: int) -> datetime:
    """What the database makes of so many failures at the moment NOW."""
    return NOW + number * LIMIT.forgiven_every


def test_nobody_waits_before_the_burst_is_used_up() -> None:
    assert LIMIT.seconds_to_wait(None, NOW) == 0
    assert [LIMIT.seconds_to_wait(after_failures(number), NOW) for number in (1, 2)] == [0, 0]


def test_after_the_burst_one_more_try_is_allowed_each_minute() -> None:
    assert LIMIT.seconds_to_wait(after_failures(3), NOW) == 60
    assert LIMIT.seconds_to_wait(after_failures(3), NOW + timedelta(seconds=59.5)) == 1
    assert LIMIT.seconds_to_wait(after_failures(3), NOW + timedelta(seconds=60)) == 0


def test_old_failures_are_forgiven() -> None:
    assert LIMIT.seconds_to_wait(NOW - timedelta(days=1), NOW) == 0


def test_subjects_differ_when_any_part_differs() -> None:
    subjects = {
        FailureLimit.of(3, 60.0, *parts).subject
        for parts in [("login", "anna"), ("login", "anna", "192.0.2.1"), ("login", "anna", "192.0.2.2"), ("x", "anna")]
    }
    assert len(subjects) == 4


def test_a_session_id_is_32_upper_case_hex_digits_and_only_its_hash_is_for_keeping() -> None:
    session = NewSession.start(uuid4(), NOW, timedelta(days=30))
    assert re.fullmatch("[0-9A-F]{32}", session.session_id)
    assert session.session_hash == hashlib.sha256(session.session_id.encode()).digest()
    assert session.expires_at == NOW + timedelta(days=30)
    assert NewSession.start(uuid4(), NOW, timedelta(days=30)).session_id != session.session_id

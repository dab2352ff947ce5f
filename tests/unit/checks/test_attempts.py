"""An attempt at an unknown number costs the same work as one with a wrong code: the time tells nothing."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from services.checks import errors
from services.checks.codes import attempts, repository
from services.checks.models import Attempt

ATTEMPT = Attempt(uuid4(), "123456780001", "5864", datetime(2026, 1, 19, tzinfo=UTC))


class _Codes:
    def __init__(self) -> None:
        self.compared: list[str] = []

    def match_stand_in(self, code: str) -> bool:
        self.compared.append(code)
        return False


def test_unknown_number_is_compared_with_a_stand_in_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, recorded = _Codes(), []
    monkeypatch.setattr(repository, "record_failure", lambda *arguments: recorded.append(arguments))
    found = SimpleNamespace(exhausted_at=None, check=None)
    outcome = attempts.verify_attempt(
        cast("Any", SimpleNamespace(codes=codes, settings=SimpleNamespace(failed_attempts_per_address=100))),
        cast("Any", None),
        ATTEMPT,
        cast("Any", found),
    )
    assert isinstance(outcome, errors.CheckNotFound)
    assert codes.compared == ["5864"]
    assert len(recorded) == 1


def test_unknown_number_in_a_group_is_compared_with_a_stand_in() -> None:
    codes = _Codes()
    assert (
        attempts.opens(
            cast("Any", SimpleNamespace(codes=codes, settings=SimpleNamespace(failed_attempts_per_address=100))),
            ATTEMPT,
            None,
        )
        is False
    )
    assert codes.compared == ["5864"]

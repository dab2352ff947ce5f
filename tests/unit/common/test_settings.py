"""Settings that are valid on a test system only."""

import pytest
from pydantic import ValidationError

from common.core.settings import Settings


def test_clock_offset_is_rejected_in_production() -> None:
    with pytest.raises(ValidationError, match="FASTCHECK_CLOCK_OFFSET_SECONDS"):
        Settings(environment="production", clock_offset_seconds=1)


def test_clock_offset_is_accepted_in_the_sandbox() -> None:
    assert Settings(environment="sandbox", clock_offset_seconds=1).clock_offset_seconds == 1

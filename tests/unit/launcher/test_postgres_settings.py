"""Settings of the embedded PostgreSQL."""

import pytest

from launcher.embedded.postgres import SETTINGS, shared_buffers

GIB = 2**30


@pytest.mark.parametrize(
    ("memory", "expected"),
    [(GIB // 2, "128MB"), (2 * GIB, "128MB"), (8 * GIB, "512MB"), (16 * GIB, "1024MB"), (256 * GIB, "1024MB")],
)
def test_shared_buffers_are_a_sixteenth_of_the_memory_within_bounds(memory: int, expected: str) -> None:
    assert shared_buffers(memory) == expected


def test_durability_settings_are_on() -> None:
    assert {SETTINGS[name] for name in ("fsync", "synchronous_commit", "full_page_writes")} == {"on"}
